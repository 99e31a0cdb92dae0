"""The one reader of checkpoints: safetensors, else ``weights_only`` with an allow-list.

No code from a file ever runs, unless the user says ``--trust-checkpoint``; there is no
fallback. Config texts inside a file are dropped, because the hosts execute them
(``Runner.resume`` and the inferencers parse them with ``Config.fromstring``); the input
convention that such a text states is read first, without executing it.

:func:`install_safe_loading` puts this reader behind mmengine's ``CheckpointLoader``, so
that ``load_from``, resume, ``init_cfg=dict(type='Pretrained')``, ``torchvision://``,
``open-mmlab://`` and http addresses all come through here.
"""

import copy
import json
import os
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from mmdetxfer.checkpoints.allow_list import resolved, stock_checkpoint_globals
from mmdetxfer.checkpoints.convention_texts import convention_in_config_text
from mmdetxfer.checkpoints.plain_data import from_plain
from mmdetxfer.checkpoints.writing import broken_part, recorded_sha256, sha256_path
from mmdetxfer.errors import CheckpointError, DamagedCheckpointError
from mmdetxfer.text_files import sha256_of_file

_trust_checkpoints = False


def trust_checkpoints(trust: bool) -> None:
    """Say whether checkpoints may run code on loading (``--trust-checkpoint``)."""
    global _trust_checkpoints
    _trust_checkpoints = bool(trust)


def read_checkpoint(path: str | os.PathLike, map_location: Any = 'cpu') -> dict:
    """Read one local checkpoint file without running code from it.

    Args:
        path: A ``.safetensors`` file, or whatever ``torch.save`` wrote.
        map_location: As for ``torch.load``; a function leaves safetensors on the CPU.

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
    try:
        refuse_damaged(path)
        if path.suffix == '.safetensors':
            content = _read_safetensors(path, map_location)
        else:
            content = _read_torch_file(path, map_location)
    except OSError as error:
        raise CheckpointError(
            f'{path} cannot be opened ({error.strerror or error}); check its rights '
            'and the disk'
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path}: expected a dict of tensors or a training checkpoint, it holds '
            f'{type(content).__name__}'
        )
    return without_config_texts(content)


def refuse_damaged(path: Path) -> None:
    """Raise if the file is not, byte for byte, the one that was written.

    Checked by the SHA-256 beside the file where there is one, else by the checksums
    that torch's zip container keeps for each tensor (``torch.load`` ignores them).
    """
    expected = recorded_sha256(path)
    if expected is not None:
        found = sha256_of_file(path)
        if found != expected:
            raise DamagedCheckpointError(
                f'{path} is damaged: its SHA-256 should be {expected[:16]}... and is '
                f'{found[:16]}...; take another checkpoint (if you replaced the file '
                f'yourself, remove {sha256_path(path).name})'
            )
        return
    bad = broken_part(path)
    if bad is not None:
        raise DamagedCheckpointError(
            f'{path} is damaged: the checksum of its part {bad!r} is wrong; take '
            'another checkpoint'
        )


def without_config_texts(content: dict) -> dict:
    """Return the dict without the config texts that hosts would execute.

    What a text says about the model's input stays, as ``meta['input_convention']``.
    """
    content = copy.copy(content)  # keeps the _metadata of a bare state dict
    texts = []
    if isinstance(content.get('meta'), dict):
        content['meta'] = meta = copy.copy(content['meta'])
        texts += [meta.pop(key, None) for key in ('cfg', 'config')]
    hub = content.get('message_hub')
    if isinstance(hub, dict) and isinstance(hub.get('runtime_info'), dict):
        runtime = copy.copy(hub['runtime_info'])
        texts.append(runtime.pop('cfg', None))
        content['message_hub'] = {**hub, 'runtime_info': runtime}
    said = (convention_in_config_text(text) for text in texts)
    found = next((one for one in said if one is not None), None)
    if found is not None:
        meta = content.setdefault('meta', {})
        if isinstance(meta, dict) and meta.get('input_convention') is None:
            meta['input_convention'] = found.to_dict()
    return content


def _read_torch_file(path: Path, map_location: Any) -> Any:
    try:
        if _trust_checkpoints:
            content = torch.load(path, map_location=map_location, weights_only=False)
            return from_plain(content)
        with torch.serialization.safe_globals(stock_checkpoint_globals()):
            content = torch.load(path, map_location=map_location, weights_only=True)
        return from_plain(resolved(content))
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, str(error))) from None
    except (OSError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # bytes that nobody wrote make torch raise anything
        raise DamagedCheckpointError(
            f'{path} cannot be read as a checkpoint, it is damaged or of another '
            f'kind ({_first_line(error)}); take another file'
        ) from None


def _refusal(path: Path, reason: str) -> str:
    """Say in one line what a file asked for."""
    reason = reason.split('WeightsUnpickler error: ')[-1]
    asked = re.search(r'GLOBAL ([\w.]+)', reason)
    what = f'it asks for {asked.group(1)}' if asked else _first_line(reason)
    return (
        f'{path} was refused: expected tensors and plain data, but {what}, which could '
        'run code; if you trust the file and its source, say --trust-checkpoint'
    )


def _first_line(error: Exception | str) -> str:
    kind = '' if isinstance(error, str) else f'{type(error).__name__}: '
    return kind + (str(error).strip().splitlines() or ['no reason given'])[0][:160]


def _read_safetensors(path: Path, map_location: Any) -> dict:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework='pt', device='cpu') as archive:
            tensors = {key: archive.get_tensor(key) for key in archive.keys()}
            header = archive.metadata() or {}
    except (SafetensorError, ValueError) as error:
        raise DamagedCheckpointError(
            f'{path} cannot be read as safetensors ({_first_line(error)}); take '
            'another file'
        ) from None
    if map_location is not None and not callable(map_location):
        tensors = {key: tensor.to(map_location) for key, tensor in tensors.items()}
    return {'state_dict': tensors, 'meta': _safetensors_meta(path, header)}


def _safetensors_meta(path: Path, header: dict) -> dict:
    """Plain data beside safetensors: the JSON sidecar, else the file's own header."""
    sidecar = path.with_suffix('.json')
    place = sidecar if sidecar.is_file() else path
    try:
        if place is sidecar:
            described = json.loads(sidecar.read_text())
        else:
            described = dict(header)
            if 'input_convention' in header:
                described['input_convention'] = json.loads(header['input_convention'])
        if isinstance(described, dict):
            return described
        reason = f'it holds a {type(described).__name__}'
    except (ValueError, RecursionError) as error:
        reason = _first_line(error)
    raise DamagedCheckpointError(
        f'{place}: expected a JSON object that describes the weights, {reason}; repair '
        'or remove it'
    )
