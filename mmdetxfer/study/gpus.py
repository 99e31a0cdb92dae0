"""GPUs of this machine, each held by one cell at a time."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError
from mmdetxfer.study.locks import try_lock


@contextlib.contextmanager
def taken_gpus(folder: Path, count: int) -> Iterator[tuple[str | None, list[Any]]]:
    """Take free GPUs of this machine, waiting for them: a lock file each.

    Args:
        folder: Of the cell.
        count: How many; of none the cell runs on the CPU.

    Yields:
        What CUDA_VISIBLE_DEVICES becomes, None to leave it, and the locks.
    """
    known = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(_all_gpus())
    names = [name for name in known.split(',') if name]
    if count == 0 or ('SLURM_JOB_ID' in os.environ and len(names) <= count):
        # Slurm has given this job its own; of a session with more, cells take some.
        yield ('' if count == 0 else None), []
        return
    if len(names) < count:
        raise UserError(
            f'expected {count} GPUs for a cell, this machine shows {len(names)}; give '
            'fewer with --gpus'
        )
    locks = folder.parent.parent / 'gpus'
    locks.mkdir(parents=True, exist_ok=True)
    taken: dict[str, Any] = {}
    while len(taken) < count:
        for name in names:
            if name not in taken and len(taken) < count:
                path = locks / f'{socket.gethostname()}_{name.replace("/", "_")}.lock'
                lock = try_lock(path)
                if lock is not None:
                    taken[name] = lock
        if len(taken) < count:
            # Two that each hold half of what both need would wait for ever.
            for lock in taken.values():
                lock.close()
            taken.clear()
            time.sleep(1.0)
    try:
        yield ','.join(taken), list(taken.values())
    finally:
        for lock in taken.values():
            lock.close()


def _all_gpus() -> list[str]:
    folder = Path('/proc/driver/nvidia/gpus')
    return [str(k) for k, _ in enumerate(folder.iterdir())] if folder.is_dir() else []
