"""Random integers and noise that are equal on every machine.

A counter passed through the finaliser of splitmix64 (Steele, Lea and Flood 2014): only
64-bit integer arithmetic, so nothing depends on NumPy's generators, whose streams may
change between versions, or on how a machine rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

T = TypeVar('T')
_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_FACTOR_1 = 0xBF58476D1CE4E5B9
_FACTOR_2 = 0x94D049BB133111EB
# Noise is cut out of tiles of this size at drawn places: hashing every pixel of every
# image would cost as much as all the rest of the drawing.
TILE_PX = 640


def _mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * _FACTOR_1) & _MASK
    value = ((value ^ (value >> 27)) * _FACTOR_2) & _MASK
    return value ^ (value >> 31)


class Draws:
    """A stream of random integers, named by the integers of its key."""

    def __init__(self, *key: int) -> None:
        self._state = 0
        for part in key:
            self._state = _mix((self._state + _STEP) & _MASK) ^ _mix(part & _MASK)

    def below(self, stop: int) -> int:
        """Draw an integer from 0 to ``stop`` - 1."""
        self._state = (self._state + _STEP) & _MASK
        return (_mix(self._state) * stop) >> 64

    def between(self, low: int, high: int) -> int:
        """Draw an integer from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def percent(self, chance: int) -> bool:
        """Return True in ``chance`` of 100 cases."""
        return self.below(100) < chance

    def choose(self, options: Sequence[T]) -> T:
        """Draw one of the options."""
        return options[self.below(len(options))]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Return the options in a drawn order."""
        order = list(options)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


def hash_bytes(key: int, count: int) -> np.ndarray:
    """Return ``count`` random uint8 values, the same for the same key."""
    value = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP)
    value += np.uint64(_mix(key & _MASK))
    for shift, factor in ((30, _FACTOR_1), (27, _FACTOR_2)):
        value = (value ^ (value >> np.uint64(shift))) * np.uint64(factor)
    return (value >> np.uint64(56)).astype(np.uint8)


@lru_cache(maxsize=4)
def grain_tile(strength: int) -> np.ndarray:
    """Return (T, T, 3) int16 noise without correlation, up to ``strength``."""
    values = hash_bytes(1, TILE_PX * TILE_PX * 3).reshape(TILE_PX, TILE_PX, 3)
    return _frozen((values.astype(np.int16) - 128) * strength // 128)


@lru_cache(maxsize=4)
def blotch_tile(width_px: int, strength: int) -> np.ndarray:
    """Return (T, T, 3) int16 grey blotches about ``width_px`` wide, to ``strength``."""
    side = TILE_PX + 4 * width_px
    field = hash_bytes(2, side * side).reshape(side, side).astype(np.int64)
    for _ in range(2):
        field = _box_sums(_box_sums(field, width_px).T, width_px).T
    field = field[:TILE_PX, :TILE_PX]
    # Sums are nearly normal: 2.5 mean deviations, about 2 standard ones, fill the
    # range.
    centred = field - int(field.sum()) // field.size
    spread = 1 + int(np.abs(centred).sum()) // field.size
    values = np.clip(centred * 2 * strength // (5 * spread), -strength, strength)
    return _frozen(np.repeat(values[..., None].astype(np.int16), 3, axis=2))


def _frozen(tile: np.ndarray) -> np.ndarray:
    tile.setflags(write=False)
    return tile


def _box_sums(field: np.ndarray, width_px: int) -> np.ndarray:
    total = np.cumsum(field, axis=0)
    return total[width_px:] - total[:-width_px]


def cut(tile: np.ndarray, height: int, width: int, draws: Draws) -> np.ndarray:
    """Return a view of a tile at a drawn place, drawn mirrored or not."""
    y = draws.below(TILE_PX - height + 1)
    x = draws.below(TILE_PX - width + 1)
    part = tile[y : y + height, x : x + width]
    return part[:: draws.choose((1, -1)), :: draws.choose((1, -1))]
