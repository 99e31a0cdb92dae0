"""Widths and heights of many images: from their headers once, or from a CSV file.

Headers are read by threads, and what is read is kept every few seconds, so that a
killed reading goes on where it was. A kept size is not read again.
"""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from mmdetxfer.datasets.column_store import default_cache_dir, locked
from mmdetxfer.datasets.image_files import header_size
from mmdetxfer.errors import UserError
from mmdetxfer.text_files import TEMPORARY_SUFFIX

# Neither a file nor a header: asked again next time.
_UNREAD, NO_SIZE = 0, -1
_BLOCK_IMAGES = 4096
_NUM_THREADS = 8
_SECONDS_BETWEEN = 5.0
_COLUMNS = dict(ImageID=pa.string(), Width=pa.int32(), Height=pa.int32())


def sizes_from_headers(
    folder: str | Path,
    image_ids: np.ndarray,
    suffix: str,
    cache_dir: str | Path | None = None,
    report: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return (N, 2) widths and heights; NO_SIZE twice for a file without a header.

    Args:
        folder: Where the images lie; it and the ids name what is kept.
        image_ids: (N,) bytes: file names without their ending.
        suffix: The ending.
        cache_dir: Where sizes are kept.
        report: Told how many of how many are known.
    """
    cache = Path(cache_dir) if cache_dir else default_cache_dir()
    digest = hashlib.sha256(f'{Path(folder).resolve()}*{suffix}'.encode())
    digest.update(np.ascontiguousarray(image_ids))
    kept = cache / f'image_sizes-{digest.hexdigest()[:16]}.npy'
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # Of several processes one reads, and the others find what it has read.
        with locked(kept.with_suffix('.lock')):
            return _read_missing(kept, folder, image_ids, suffix, report)
    except OSError as error:
        raise UserError(
            f'{kept}: image sizes cannot be kept there ({error.strerror or error}); '
            'name another folder by cache_dir'
        ) from error


def _read_missing(
    kept: Path,
    folder: str | Path,
    image_ids: np.ndarray,
    suffix: str,
    report: Callable[[int, int], None] | None,
) -> np.ndarray:
    """Read what is not kept yet; keep it now and then."""
    sizes = _kept_sizes(kept, len(image_ids))
    # What was missing may be there by now.
    unread = np.flatnonzero((sizes == _UNREAD).any(1) | (sizes == NO_SIZE).any(1))
    before = sizes.copy()
    next_time = time.monotonic() + _SECONDS_BETWEEN
    if len(unread):
        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            for start in range(0, len(unread), _BLOCK_IMAGES):
                rows = unread[start : start + _BLOCK_IMAGES]
                names = [f'{folder}/{one.decode()}{suffix}' for one in image_ids[rows]]
                found = pool.map(header_size, names)
                sizes[rows] = [size or (NO_SIZE, NO_SIZE) for size in found]
                if time.monotonic() > next_time:
                    _keep(kept, sizes)
                    next_time = time.monotonic() + _SECONDS_BETWEEN
                if report is not None:
                    done = len(sizes) - len(unread) + start + len(rows)
                    report(done, len(sizes))
    if (sizes != before).any():
        _keep(kept, sizes)
    return sizes


def changed_sizes(
    folder: str | Path,
    image_ids: np.ndarray,
    suffix: str,
    sizes: np.ndarray,
    most: int = 2000,
) -> list[str]:
    """Return the images, of at most so many, whose header tells another size."""
    rows = np.unique(np.linspace(0, len(image_ids) - 1, most).round().astype(int))
    rows = rows[: len(image_ids)]
    paths = [f'{folder}/{one.decode()}{suffix}' for one in image_ids[rows]]
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        found = list(pool.map(header_size, paths))
    pairs = zip(rows, paths, found, strict=True)
    return [
        path
        for row, path, size in pairs
        if (size or (NO_SIZE, NO_SIZE)) != tuple(sizes[row].tolist())
    ]


def _kept_sizes(path: Path, count: int) -> np.ndarray:
    try:
        sizes = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        sizes = None
    if sizes is None or sizes.shape != (count, 2):
        return np.full((count, 2), _UNREAD, dtype=np.int32)
    return sizes


def _keep(path: Path, sizes: np.ndarray) -> None:
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with open(temporary, 'wb') as stream:
        np.save(stream, sizes, allow_pickle=False)
    temporary.replace(path)


def sizes_from_csv(path: str | Path, image_ids: np.ndarray) -> np.ndarray:
    """Return (N, 2) sizes out of a file with the columns ImageID, Width, Height.

    Args:
        path: The CSV file, with a header line, in any order.
        image_ids: (N,) bytes.
    """
    try:
        options = pa_csv.ConvertOptions(
            include_columns=list(_COLUMNS), column_types=_COLUMNS
        )
        table = pa_csv.read_csv(path, convert_options=options)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f'{path}: expected a CSV file with the columns {", ".join(_COLUMNS)}, it '
            f'cannot be read as such ({str(error).splitlines()[0]})'
        ) from error
    if any(table[name].null_count for name in _COLUMNS):
        raise UserError(f'{path}: expected an id and two numbers in each row')
    ids = table['ImageID'].to_numpy().astype(np.bytes_)
    order = np.argsort(ids)
    places = np.searchsorted(ids[order], image_ids)
    rows = order[np.minimum(places, len(ids) - 1)] if len(ids) else places
    is_there = (ids[rows] == image_ids) if len(ids) else np.zeros(len(places), bool)
    if not is_there.all():
        raise UserError(
            f'{path}: expected the sizes of {len(image_ids):,} images, those of '
            f'{int((~is_there).sum()):,} are missing, first '
            f'{image_ids[~is_there][0].decode()}'
        )
    columns = [table[name].to_numpy()[rows] for name in ('Width', 'Height')]
    return np.stack(columns, axis=1).astype(np.int32)
