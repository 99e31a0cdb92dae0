"""Annotations kept as columns on the disk, mapped into memory by everyone who reads.

A folder of ``.npy`` files, one a column, and a manifest, which is written last. Its
name is a hash of what it was made from: path, size and time of change of the source
files, and settings. The content hash of each file is kept beside, for who wants to be
sure.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmdetxfer.errors import UserError
from mmdetxfer.text_files import TEMPORARY_SUFFIX, sha256_of_file, write_text_atomically

FORMAT_VERSION = 1
MANIFEST = 'columns.json'
Make = Callable[[], Mapping[str, np.ndarray]]


def default_cache_dir() -> Path:
    """Return where columns are kept if nobody says otherwise."""
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(home) / 'mmdetxfer' / 'annotations'


def stored_columns(
    kind: str,
    sources: Sequence[str | Path],
    settings: Mapping[str, Any],
    make: Make,
    cache_dir: str | Path | None = None,
) -> Path:
    """Return the folder of columns, made if there is none that fits.

    Args:
        kind: What the columns are; part of the folder's name.
        sources: Files that they are made from.
        settings: All else that they depend on, as plain values.
        make: Returns the columns.
        cache_dir: Where such folders lie.
    """
    cache_dir = Path(cache_dir) if cache_dir else default_cache_dir()
    described = [_described(Path(source)) for source in sources]
    identity = dict(
        version=FORMAT_VERSION, kind=kind, sources=described, settings=dict(settings)
    )
    text = json.dumps(identity, sort_keys=True)
    name = f'{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}'
    folder = cache_dir / name
    if _is_whole(folder):
        return folder
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with locked(cache_dir / f'{name}.lock'):
            # Another process may have made it meanwhile.
            if not _is_whole(folder):
                _remove_former(cache_dir, kind, described, settings)
                _write(folder, identity, make)
    except OSError as error:
        raise UserError(
            f'{folder}: columns of annotations cannot be kept there '
            f'({error.strerror or error}); name another folder by cache_dir'
        ) from error
    return folder


def load_columns(folder: Path) -> dict[str, np.ndarray]:
    """Map the columns of a folder into memory, for reading."""
    names = json.loads((folder / MANIFEST).read_text())['columns']
    return {
        name: np.load(folder / f'{name}.npy', mmap_mode='r', allow_pickle=False)
        for name in names
    }


def differences(folder: Path) -> list[str]:
    """Return what is no longer as when the columns were made, by content."""
    manifest = json.loads((folder / MANIFEST).read_text())
    found = []
    for source in manifest['sources']:
        if sha256_of_file(Path(source['path'])) != source['sha256']:
            found.append(
                f'{source["path"]} has another content than the columns in {folder}'
            )
    for name, kept in manifest['columns'].items():
        if sha256_of_file(folder / f'{name}.npy') != kept['sha256']:
            found.append(f'{folder}/{name}.npy is damaged')
    return found


def _described(source: Path) -> dict:
    try:
        state = source.stat()
    except OSError as error:
        raise UserError(
            f'{source}: expected an annotation file, it cannot be opened '
            f'({error.strerror})'
        ) from error
    path = str(source.resolve())
    return dict(path=path, bytes=state.st_size, changed_ns=state.st_mtime_ns)


def _is_whole(folder: Path) -> bool:
    """Whether the manifest is there, and each column as long as it says."""
    try:
        columns = json.loads((folder / MANIFEST).read_text())['columns']
        sizes = {k: (folder / f'{k}.npy').stat().st_size for k in columns}
    except (OSError, ValueError, KeyError):
        return False
    return all(sizes[name] == kept['bytes'] for name, kept in columns.items())


def _write(folder: Path, identity: dict, make: Make) -> None:
    temporary = folder.with_name(folder.name + TEMPORARY_SUFFIX)
    for former in (temporary, folder):
        shutil.rmtree(former, ignore_errors=True)
    temporary.mkdir()
    paths = [Path(source['path']) for source in identity['sources']]
    with ThreadPoolExecutor(1) as pool:
        # Hashed beside the reading, which leaves the interpreter most of the time.
        hashes = [pool.submit(sha256_of_file, path) for path in paths]
        columns = make()
        kept = {}
        for name, column in columns.items():
            path = temporary / f'{name}.npy'
            np.save(path, column, allow_pickle=False)
            kept[name] = dict(bytes=path.stat().st_size, sha256=sha256_of_file(path))
        pairs = zip(identity['sources'], hashes, strict=True)
        sources = [{**source, 'sha256': one.result()} for source, one in pairs]
    manifest = {**identity, 'sources': sources, 'columns': kept}
    write_text_atomically(temporary / MANIFEST, json.dumps(manifest, indent=1) + '\n')
    os.replace(temporary, folder)


def _remove_former(
    cache_dir: Path, kind: str, described: list[dict], settings: Mapping[str, Any]
) -> None:
    """Remove columns of the same files as they were before they changed."""
    mine = {one['path']: one for one in described}
    own = settings.get('folder')
    for manifest in cache_dir.glob(f'{kind}-*/{MANIFEST}'):
        try:
            content = json.loads(manifest.read_text())
            sources, theirs_of = content['sources'], content['settings'].get('folder')
            theirs = {one.pop('path'): one for one in sources}
        except (OSError, ValueError, KeyError):
            continue
        changed = [path for path in theirs if path in mine]
        keys = ('bytes', 'changed_ns')
        is_old = any(mine[p][k] != theirs[p].get(k) for p in changed for k in keys)
        # Columns of a folder have no source files but a state of the folder.
        if is_old or (own is not None and theirs_of == own):
            shutil.rmtree(manifest.parent, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel frees when the process dies."""
    with open(path, 'w') as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
