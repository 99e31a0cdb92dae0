"""The log of a cell: its end, and the reason that it gives."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from mmdetxfer.study.files import LOG

_TAIL = 40
# What torchrun says of its own, some lines a rank, after what a rank said.
_TORCHRUN = 'torch/distributed/elastic/multiprocessing/api.py:'
# Stands before what an attempt prints.
BEGUN = '--- begun'


def log_tail(folder: Path) -> list[str]:
    """Return the last lines of a cell's log, of its last attempt.

    Args:
        folder: Of the cell.
    """
    try:
        with open(folder / LOG, 'rb') as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 20_000))
            text = stream.read().decode(errors='replace')
    except OSError:
        return []
    lines = text.rpartition(BEGUN)[2].splitlines()[1:]
    own = [place for place, line in enumerate(lines) if _TORCHRUN in line]
    return lines[: own[0] if own else None][-_TAIL:]


def num_attempts(folder: Path) -> int:
    """Return how often the work of a cell was begun, this time included.

    Args:
        folder: Of the cell.
    """
    if not (folder / LOG).is_file():
        # Begun by hand.
        return 1
    with open(folder / LOG, errors='replace') as lines:
        return sum(line.startswith(BEGUN) for line in lines)


def reason_of(tail: Sequence[str], code: int) -> str:
    """Return why a process failed, in one line.

    Args:
        tail: The end of its log.
        code: Its exit code.
    """
    for line in reversed(tail):
        if line.startswith('error'):
            return line.partition(': ')[2] or line
    if code < 0:
        return f'ended by signal {-code} ({signal.Signals(-code).name})'
    said = [line for line in tail if line.strip()]
    return said[-1].strip() if said else f'exit code {code}, and nothing in its log'
