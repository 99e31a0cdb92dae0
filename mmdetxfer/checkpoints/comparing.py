"""Whether two training checkpoints are the same, bit for bit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mmdetxfer.checkpoints.plain_data import to_plain
from mmdetxfer.checkpoints.reading import read_checkpoint

# What decides how a training goes on; times, paths and logs may differ.
_DECISIVE = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')


def differing_parts(first: Path, second: Path) -> list[str]:
    """Return the names of the tensors and values in which two checkpoints differ.

    Compared are weights, averaged weights, optimizer and schedules, the number of
    iterations, the random state of every rank and what its parts hold besides.
    """
    mine, theirs = (dict(_leaves(_decisive(path), '')) for path in (first, second))
    names = sorted(mine.keys() | theirs.keys())
    return [name for name in names if not _equal(mine.get(name), theirs.get(name))]


def are_equal(first: Any, second: Any) -> bool:
    """Whether two nested values are the same once they are plain data."""
    mine, theirs = (dict(_leaves(to_plain(value), '')) for value in (first, second))
    return mine.keys() == theirs.keys() and all(
        _equal(mine[name], theirs[name]) for name in mine
    )


def _decisive(path: Path) -> dict:
    checkpoint = read_checkpoint(path)
    parts: dict[str, Any] = {key: checkpoint.get(key) for key in _DECISIVE}
    parts['iter'] = (checkpoint.get('meta') or {}).get('iter')
    ranks = (checkpoint.get('mmdetxfer_progress') or {}).get('ranks') or []
    kept = ('random_state', 'held_state')
    parts['ranks'] = [{key: rank.get(key) for key in kept} for rank in ranks]
    return parts


def _leaves(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f'{name}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _leaves(value, f'{name}.{index}')
    else:
        yield name.lstrip('.'), node


def _equal(one: Any, other: Any) -> bool:
    if torch.is_tensor(one) and torch.is_tensor(other):
        # NaN equals NaN here: the bits count.
        same_kind = one.dtype == other.dtype and one.shape == other.shape
        return same_kind and torch.equal(_bytes_of(one), _bytes_of(other))
    return type(one) is type(other) and one == other


def _bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)
