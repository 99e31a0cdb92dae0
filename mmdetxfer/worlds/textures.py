"""Surface textures: patterns of two tones from a few families, by integers only.

A texture is a direction in degrees and a period in pixels. The direction is that in
which the pattern changes (0: to the right, so stripes stand upright). Positions along
it are phases: 65536 a period, computed in integers from a table of sines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ONE = 4096
# round() of 4096 sin(k degrees) does not depend on the last bit of the machine's sine:
# no entry comes near a half (a test looks).
SINES = tuple(round(ONE * math.sin(math.radians(degree))) for degree in range(360))


def sine(degrees: int) -> int:
    """Return 4096 times the sine of an angle."""
    return SINES[degrees % 360]


def cosine(degrees: int) -> int:
    """Return 4096 times the cosine of an angle."""
    return SINES[(degrees + 90) % 360]


@dataclass(frozen=True)
class Pattern:
    """One pattern, ready to be laid over pixels.

    Args:
        family: Name in ``FAMILIES``.
        degrees: Direction in which the pattern changes.
        period: Period in 16ths of a pixel.
        offset_x: Phase at the left, 65536 a period.
        offset_y: Phase at the top, 65536 a period.
    """

    family: str
    degrees: int
    period: int
    offset_x: int
    offset_y: int


def _phases(pattern: Pattern, height: int, width: int, turn: int, stretch: int = 1):
    """Return (height, width) int32 phases along a direction turned by ``turn``."""
    period = pattern.period * stretch
    step_x = cosine(pattern.degrees + turn) * 256 // period
    step_y = sine(pattern.degrees + turn) * 256 // period
    offset = pattern.offset_x if turn == 0 else pattern.offset_y
    across = np.arange(width, dtype=np.int32) * np.int32(step_x)
    down = np.arange(height, dtype=np.int32) * np.int32(step_y) + np.int32(offset)
    return across[None, :] + down[:, None]


def _bytes(phases: np.ndarray) -> np.ndarray:
    """Return the position within the period, 256 a period, as uint8."""
    return (phases >> 8).astype(np.uint8)


def _stripes(pattern: Pattern, height: int, width: int) -> np.ndarray:
    return _SQUARE[_bytes(_phases(pattern, height, width, 0))]


def _waves(pattern: Pattern, height: int, width: int) -> np.ndarray:
    bend = _TRIANGLE[_bytes(_phases(pattern, height, width, 90, stretch=2))]
    along = _bytes(_phases(pattern, height, width, 0))
    return _SQUARE[along + bend]


def _checks(pattern: Pattern, height: int, width: int) -> np.ndarray:
    first = _SQUARE[_bytes(_phases(pattern, height, width, 0))]
    second = _SQUARE[_bytes(_phases(pattern, height, width, 90))]
    return first ^ second


def _dots(pattern: Pattern, height: int, width: int) -> np.ndarray:
    first = _DISTANCE[_bytes(_phases(pattern, height, width, 0))]
    second = _DISTANCE[_bytes(_phases(pattern, height, width, 90))]
    return _DISC[first + second]


def _bricks(pattern: Pattern, height: int, width: int) -> np.ndarray:
    rows = _phases(pattern, height, width, 0)
    along = _phases(pattern, height, width, 90, stretch=2)
    along += (rows & 65536) >> 1
    return _JOINT[_bytes(rows)] | _LONG_JOINT[_bytes(along)]


def _triangles(pattern: Pattern, height: int, width: int) -> np.ndarray:
    along = _bytes(_phases(pattern, height, width, 0))
    across = _bytes(_phases(pattern, height, width, 90))
    return (along > across).astype(np.uint8)


_POSITION = np.arange(256, dtype=np.int32)
_SQUARE = (_POSITION >= 128).astype(np.uint8)
# A swing of 3/8 of a period to either side.
_TRIANGLE = (np.minimum(_POSITION, 255 - _POSITION) * 3 // 2).astype(np.uint8)
_DISTANCE = ((_POSITION - 128) ** 2 // 129).astype(np.uint8)
# A disc that covers 40 % of its cell: (radius / period)^2 = 0.4 / pi, in units of
# _DISTANCE.
_DISC = (_POSITION * 129 < 256 * 256 * 127 // 1000).astype(np.uint8)
_JOINT = (_POSITION < 80).astype(np.uint8)
_LONG_JOINT = (_POSITION < 44).astype(np.uint8)
for _table in (_SQUARE, _TRIANGLE, _DISTANCE, _DISC, _JOINT, _LONG_JOINT):
    _table.setflags(write=False)

FAMILIES: dict[str, Callable[[Pattern, int, int], np.ndarray]] = dict(
    stripes=_stripes,
    waves=_waves,
    checks=_checks,
    dots=_dots,
    bricks=_bricks,
    triangles=_triangles,
)


def draw_pattern(pattern: Pattern, height: int, width: int) -> np.ndarray:
    """Return (height, width) uint8: 0 where the first tone is, 1 the second."""
    return FAMILIES[pattern.family](pattern, height, width)
