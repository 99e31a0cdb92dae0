"""Shared pieces of the writers: seeds of image streams, atomic files, parallel items.

A writer draws the images of a split with ``map_items``: a module-level function, called
in a process pool once per item, draws the scene, writes the image files and returns the
label record, which must consist of plain JSON values. Results come back in the order of
the items whatever the number of workers. They are also kept on disk in parts, so that a
writer that was killed goes on where it stopped: items of a finished part are not drawn
again.

    def _draw(item):                       # at module level, so that it pickles
        seed, index, path = item           # plain JSON values
        scene = draw_scene(seed, index, 'target')
        write_jpeg(path, scene.image)
        return {'objects': [...]}

    seed = stream_seed(seed, 'voc2007', 'train')
    items = [(seed, index, str(root / f'{index:06d}.jpg')) for index in range(number)]
    records = map_items(_draw, items, root / '.parts' / 'train', workers, progress)
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ITEMS_PER_PART = 50
# Called with the name of the work, the number of items done and the number in all.
Progress = Callable[[str, int, int], None]


def stream_seed(seed: int, *names: str) -> int:
    """Return the 63-bit seed of an image stream, such as ('voc2007', 'train')."""
    text = '/'.join([str(seed), *names])
    return int.from_bytes(sha256(text.encode()).digest()[:8], 'big') >> 1


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file by way of a temporary one, so that it is whole or not there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    temporary.write_bytes(data)
    os.replace(temporary, path)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a killed process left under a folder."""
    for path in folder.rglob('.*.tmp'):
        path.unlink()


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file by way of a temporary one."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, value: Any) -> None:
    """Write a JSON file by way of a temporary one."""
    write_text(path, json.dumps(value, separators=(',', ':')))


def write_jpeg(path: Path | str, image: np.ndarray) -> None:
    """Write an (H, W, 3) uint8 RGB image as a JPEG file of quality 95."""
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
    write_bytes(path, data.tobytes())


def map_items(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    parts: Path,
    workers: int = 1,
    progress: Progress | None = None,
    description: str = '',
) -> list[Any]:
    """Return ``[function(item) for item in items]``, in parallel and restartable.

    Args:
        function: A module-level function that returns plain JSON values.
        items: Its arguments.
        parts: Folder for the results of finished parts; the caller removes it when all
            that follows from the results is written.
        workers: Number of processes; 1 works in this one.
        progress: Told after each part.
        description: Name of the work, for ``progress``.

    Returns:
        The results as JSON gives them back (tuples have become lists), in order.
    """
    starts = range(0, len(items), ITEMS_PER_PART)
    jobs = [
        (function, items[s : s + ITEMS_PER_PART], parts / f'{s:08d}.json')
        for s in starts
    ]
    results: list[Any] = []
    for part in _run_parts(jobs, workers):
        results += part
        if progress:
            progress(description, len(results), len(items))
    return results


def _run_parts(jobs: list[tuple], workers: int) -> Iterator[list[Any]]:
    if workers == 1 or len(jobs) == 1:
        yield from map(_run_part, jobs)
        return
    # A server that has no threads forks the workers: this process may have some, and a
    # fork beside threads can hang.
    context = get_context('forkserver')
    context.set_forkserver_preload([jobs[0][0].__module__])
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        yield from pool.map(_run_part, jobs)


def _run_part(job: tuple[Callable, Sequence[Any], Path]) -> list[Any]:
    function, items, path = job
    if not path.exists():
        write_json(path, [function(item) for item in items])
    return json.loads(path.read_text())
