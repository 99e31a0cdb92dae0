"""What data a cell is of: annotations by content, images by name and size.

Everything below a data root counts, whatever its layout: pictures and archives by their
name and size, all other files by their bytes. The fingerprint is kept beside the
cells, so that a second look only asks the disk what has changed.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from mmdetxfer.text_files import sha256_of_file, write_text_atomically

UNKNOWN = 'unknown until present'
# Raised by hand when the fingerprint of the same data would be another.
VERSION = 2
_PICTURES = {'.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm'}
# What a data set came in, often left beside it: to read a hundred GB tells nothing.
_ARCHIVES = {'.zip', '.tar', '.tgz', '.7z', '.rar'}


def fingerprint(root: Path, kept_in: Path | None = None) -> str:
    """Return the fingerprint of a folder or file, or ``UNKNOWN`` where none is.

    Args:
        root: The folder of a data set, or a file of its own.
        kept_in: Folder of known fingerprints; None keeps none.
    """
    if not root.exists():
        return UNKNOWN
    entries = list(_entries(root))
    seen = _digest([str(VERSION), *(f'{n} {s} {t}' for n, s, t in entries)])
    path = None
    if kept_in is not None:
        path = _kept_at(root, kept_in)
        known = _known(path)
        if known.get('seen') == seen:
            return known['fingerprint']
    lines = [
        f'{name} {size}'
        if _is_known_by_size(name)
        else f'{name} {sha256_of_file(root / name)}'
        for name, size, _ in entries
    ]
    found = _digest([str(VERSION), *lines])
    if path is not None:
        kept_in.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, json.dumps(dict(seen=seen, fingerprint=found)))
    return found


def kept_fingerprint(root: Path, kept_in: Path) -> str | None:
    """Return the fingerprint at the last look, None if there was none.

    Args:
        root: As for ``fingerprint``.
        kept_in: Folder of known fingerprints.
    """
    return _known(_kept_at(root, kept_in)).get('fingerprint')


def _kept_at(root: Path, kept_in: Path) -> Path:
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:24]
    return kept_in / f'{name}.json'


def _is_known_by_size(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return suffix in _PICTURES | _ARCHIVES or name.lower().endswith('.tar.gz')


def _known(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _entries(root: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, size and time of change of all files but hidden ones, sorted."""
    if root.is_file():
        stat = root.stat()
        yield '.', stat.st_size, stat.st_mtime_ns
        return
    yield from sorted(_below(root, '', ()))


def _below(folder: Path, name: str, above: tuple[str, ...]) -> Iterator:
    """Yield all files below a folder, by the names on the way there.

    Args:
        folder: The folder.
        name: Its own, from the root.
        above: Where it and those above it really are: a link to one of these would be
            followed for ever.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    for entry in os.scandir(folder):
        if entry.name.startswith('.'):
            continue
        place = f'{name}{entry.name}'
        try:
            if entry.is_dir():
                yield from _below(Path(entry), f'{place}/', (*above, real))
                continue
            stat = entry.stat()
        except FileNotFoundError:
            # A link to nothing, or a file that another process removes.
            continue
        yield place, stat.st_size, stat.st_mtime_ns


def _digest(lines: list[str]) -> str:
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()
