"""Puts the safe reader behind every address that mmengine's loader understands.

mmengine's own loaders for local files, http, ``torchvision://``, ``open-mmlab://`` and
``mmcls://`` all end in ``torch.load`` without an allow-list; here each scheme only
finds the file, and :mod:`mmdetxfer.checkpoints.reading` reads it.
"""

import difflib
import os
from pathlib import Path
from typing import Any

from mmengine.dist import barrier
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    _get_mmengine_home,
    _process_mmcls_checkpoint,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

from mmdetxfer.checkpoints.fetching import cached_path, fetched
from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.errors import CheckpointError


def load_from_local(filename: str, map_location: Any = None) -> dict:
    """Read a local file."""
    return read_checkpoint(filename, map_location or 'cpu')


def load_from_http(filename: str, map_location: Any = None) -> dict:
    """Fetch a file once into torch's hub folder, then read it."""
    return read_checkpoint(fetched_by_one_rank(filename), map_location or 'cpu')


def load_from_torchvision(filename: str, map_location: Any = None) -> dict:
    """Read a model of torchvision's list of addresses."""
    address = _known(filename, get_torchvision_models())
    return load_from_http(address, map_location)


def load_from_openmmlab(filename: str, map_location: Any = None) -> dict:
    """Read a model of mmengine's list of external models."""
    scheme, name = filename.split('://', 1)
    name = get_deprecated_model_names().get(name, name)
    address = _known(f'{scheme}://{name}', get_external_models())
    if not address.startswith(('http://', 'https://')):
        return load_from_local(str(Path(_get_mmengine_home()) / address), map_location)
    return load_from_http(address, map_location)


def load_from_mmcls(filename: str, map_location: Any = None) -> dict:
    """Read a model of mmpretrain's former list, renamed as the host does."""
    address = _known(filename, get_mmcls_models())
    return _process_mmcls_checkpoint(load_from_http(address, map_location))


def load_from_unsupported(filename: str, map_location: Any = None) -> dict:
    """Refuse the schemes whose readers would run code."""
    raise CheckpointError(
        f'{filename}: object stores are not read directly; copy the file to a local '
        'path and name that'
    )


def install_safe_loading() -> None:
    """Replace mmengine's loaders of all schemes (may be called more than once)."""
    register = CheckpointLoader.register_scheme
    register('', load_from_local, force=True)
    register(('http://', 'https://'), load_from_http, force=True)
    register(('modelzoo://', 'torchvision://'), load_from_torchvision, force=True)
    register(('open-mmlab://', 'openmmlab://'), load_from_openmmlab, force=True)
    register('mmcls://', load_from_mmcls, force=True)
    remote = ['pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://']
    register(remote, load_from_unsupported, force=True)


def local_file(source: str) -> Path | None:
    """Return where a file is that was named by a path or an address, None if nowhere.

    Nothing is fetched.
    """
    lists = {
        ('modelzoo', 'torchvision'): get_torchvision_models,
        ('open-mmlab', 'openmmlab'): get_external_models,
        ('mmcls',): get_mmcls_models,
    }
    scheme, _, name = source.partition('://')
    for schemes, addresses in lists.items():
        if scheme in schemes:
            name = get_deprecated_model_names().get(name, name)
            source = addresses().get(name) or source
            if '://' not in source:
                source = str(Path(_get_mmengine_home()) / source)
    if source.startswith(('http://', 'https://')):
        source = str(cached_path(source))
    path = Path(source).expanduser()
    return path if path.is_file() else None


def fetched_by_one_rank(address: str) -> Path:
    """Let the first rank of each machine fetch a file while the others wait.

    Ranks that wait take what is there afterwards; where the first one failed they find
    nothing and fail in the same way, instead of waiting for ever.
    """
    if int(os.environ.get('LOCAL_RANK', 0)) != 0:
        barrier()
        return fetched(address)
    try:
        return fetched(address)
    finally:
        barrier()


def _known(filename: str, addresses: dict) -> str:
    scheme, name = filename.split('://', 1)
    if addresses.get(name) is None:
        near = difflib.get_close_matches(name, addresses, n=8, cutoff=0.5)
        what = 'no weights of' if name in addresses else 'no model'
        raise CheckpointError(
            f'{filename}: {scheme} knows {what} {name!r}; names like it: '
            f'{", ".join(near) or "none"}'
        )
    return addresses[name]
