"""The one reader of checkpoints: safetensors, else ``weights_only`` with an allow-list.

No code from a file ever runs, unless the user says ``--trust-checkpoint``; there is no
fallback. Config texts inside a file are dropped, because the hosts execute them
(``Runner.resume`` and the inferencers parse them with ``Config.fromstring``); the input
convention that such a text states is read first, without executing it.

:func:`install_safe_loading` puts this reader behind mmengine's ``CheckpointLoader``, so
that ``load_from``, resume, ``init_cfg=dict(type='Pretrained')``, ``torchvision://``,
``open-mmlab://`` and http addresses all come through here.
"""

import json
import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from mmdetxfer.checkpoints.allow_list import stock_checkpoint_globals
from mmdetxfer.checkpoints.conventions import convention_in_config_text
from mmdetxfer.checkpoints.plain_data import from_plain
from mmdetxfer.checkpoints.writing import recorded_sha256, sha256_of_file
from mmdetxfer.errors import CheckpointError, DamagedCheckpointError

_trust_checkpoints = False


def read_checkpoint(path: str | os.PathLike, map_location: Any = 'cpu') -> dict:
    """Read one local checkpoint file without running code from it.

    Args:
        path: A ``.safetensors`` file, or whatever ``torch.save`` wrote.
        map_location: As for ``torch.load``.

    Returns:
        The file's dict, with ``HistoryBuffer`` objects rebuilt and config texts
        dropped. A safetensors file comes as ``{'state_dict': ..., 'meta': ...}``.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(
            f'checkpoint not found: expected a file at {path}, there is '
            f'{"a folder" if path.is_dir() else "none"}; check the path'
        )
    refuse_damaged(path)
    if path.suffix == '.safetensors':
        return _read_safetensors(path, map_location)
    content = _read_torch_file(path, map_location)
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path}: expected a dict of tensors or a training checkpoint, it holds '
            f'{type(content).__name__}'
        )
    return from_plain(without_config_texts(content))


def refuse_damaged(path: Path) -> None:
    """Raise if the file is not, byte for byte, the one that was written.

    Checked by the SHA-256 beside the file where there is one, else by the checksums
    that torch's zip container keeps for each tensor.
    """
    expected = recorded_sha256(path)
    if expected is not None:
        found = sha256_of_file(path)
        if found != expected:
            raise DamagedCheckpointError(
                f'{path} is damaged: its SHA-256 should be {expected[:16]}... and is '
                f'{found[:16]}...; take another checkpoint'
            )
    elif path.suffix != '.safetensors' and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
        if bad is not None:
            raise DamagedCheckpointError(
                f'{path} is damaged: the checksum of its part {bad!r} is wrong; take '
                'another checkpoint'
            )


def without_config_texts(content: dict) -> dict:
    """Return the dict without the config texts that hosts would execute.

    What a text says about the model's input stays, as ``meta['input_convention']``.
    """
    content = dict(content)
    meta = content.get('meta')
    texts = []
    if isinstance(meta, dict):
        texts = [meta[key] for key in ('cfg', 'config') if key in meta]
        meta = {k: v for k, v in meta.items() if k not in ('cfg', 'config')}
        content['meta'] = meta
    hub = content.get('message_hub')
    if isinstance(hub, dict) and isinstance(hub.get('runtime_info'), dict):
        runtime = {k: v for k, v in hub['runtime_info'].items() if k != 'cfg'}
        content['message_hub'] = {**hub, 'runtime_info': runtime}
    if isinstance(meta, dict) and 'input_convention' not in meta:
        for text in texts:
            found = convention_in_config_text(text)
            if found is not None:
                meta['input_convention'] = found.to_dict()
                break
    return content


def _read_torch_file(path: Path, map_location: Any) -> Any:
    try:
        if _trust_checkpoints:
            return torch.load(path, map_location=map_location, weights_only=False)
        with torch.serialization.safe_globals(list(stock_checkpoint_globals())):
            return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, str(error))) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise DamagedCheckpointError(
            f'{path} cannot be read as a checkpoint, it is damaged or of another '
            f'kind ({_first_line(error)}); take another file'
        ) from None


def _refusal(path: Path, reason: str) -> str:
    asked = re.search(r'GLOBAL ([\w.]+)', reason)
    what = f'it asks for {asked.group(1)}' if asked else _first_line(reason)
    return (
        f'{path} was refused: expected tensors and plain data, {what}, which could run '
        'code; if you trust the file and its source, say --trust-checkpoint'
    )


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


def _read_safetensors(path: Path, map_location: Any) -> dict:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework='pt', device='cpu') as archive:
            tensors = {key: archive.get_tensor(key) for key in archive.keys()}
            header = archive.metadata() or {}
    except SafetensorError as error:
        raise DamagedCheckpointError(
            f'{path} cannot be read as safetensors ({_first_line(error)}); take '
            'another file'
        ) from None
    if map_location not in (None, 'cpu'):
        tensors = {key: tensor.to(map_location) for key, tensor in tensors.items()}
    return {'state_dict': tensors, 'meta': _safetensors_meta(path, header)}


def _safetensors_meta(path: Path, header: dict) -> dict:
    """Plain data beside safetensors: the JSON sidecar, else the file's own header."""
    sidecar = path.with_suffix('.json')
    if sidecar.is_file():
        try:
            described = json.loads(sidecar.read_text())
        except ValueError as error:
            raise DamagedCheckpointError(
                f'{sidecar} is not JSON ({_first_line(error)}); it should describe '
                f'{path.name}: repair or remove it'
            ) from None
        return described if isinstance(described, dict) else {}
    if 'input_convention' in header:
        return {**header, 'input_convention': json.loads(header['input_convention'])}
    return dict(header)


def trust_checkpoints(trust: bool) -> None:
    """Say whether checkpoints may run code on loading (``--trust-checkpoint``)."""
    global _trust_checkpoints
    _trust_checkpoints = bool(trust)
