"""Filling polygons by rows, in integers, with the border and without anti-aliasing.

In every row a part is filled from its leftmost to its rightmost point, so parts are
best convex; several parts of one mask may overlap. The row of pixels y takes in what
the part's edges reach between y - 1/2 and y + 1/2, so that thin parts stay in one
piece. OpenCV's own filling is not used: its pixels differ between OpenCV 4.8 and 5.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

_FAR = 1 << 30


def fill_parts(
    points: np.ndarray, ends: Sequence[int], height: int, width: int
) -> np.ndarray:
    """Return the (height, width) uint8 mask, 0 or 255, of parts that may overlap.

    Args:
        points: (N, 2) integer x and y of the corners of all parts, inside the mask.
        ends: For each part the number of corners up to its end.
        height: Rows of the mask.
        width: Columns of the mask.
    """
    left, right = _row_reach(points.astype(np.int32), tuple(ends), height)
    rows = np.arange(height)
    # +1 where a part begins, -1 behind its end: the running sum counts parts.
    steps = np.zeros((height, width + 2), np.int8)
    for first, last in zip(left, right, strict=True):
        filled = last >= 0
        steps[rows[filled], first[filled]] += 1
        steps[rows[filled], last[filled] + 1] -= 1
    counts = np.cumsum(steps[:, :width], axis=1, dtype=np.int8)
    return (counts > 0).astype(np.uint8) * np.uint8(255)


def _row_reach(
    points: np.ndarray, ends: tuple[int, ...], height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (P, height) first and last x of each part in each row; -1 where none."""
    lower = points[_following(ends)]
    swapped = points[:, 1] > lower[:, 1]
    x0 = np.where(swapped, lower[:, 0], points[:, 0])[:, None]
    x1 = np.where(swapped, points[:, 0], lower[:, 0])[:, None]
    y0 = np.minimum(points[:, 1], lower[:, 1])[:, None]
    span_x, span_y = x1 - x0, np.maximum(points[:, 1], lower[:, 1])[:, None] - y0
    down = np.arange(height, dtype=np.int32) - y0
    reached = (down >= 0) & (down <= span_y)
    # Half pixels down the edge, at the upper and the lower side of the row. Of a level
    # edge this finds one end; the next edge of the part has the other.
    down *= 2
    unit = np.maximum(4 * span_y, 1)
    slope = 2 * span_x
    first = (slope * np.maximum(down - 1, 0) + 2 * span_y) // unit
    last = (slope * np.minimum(down + 1, 2 * span_y) + 2 * span_y) // unit
    left = np.where(reached, x0 + np.minimum(first, last), np.int32(_FAR))
    right = np.where(reached, x0 + np.maximum(first, last), np.int32(-1))
    starts = [0, *ends[:-1]]
    return (
        np.minimum.reduceat(left, starts, axis=0),
        np.maximum.reduceat(right, starts, axis=0),
    )


@lru_cache(maxsize=64)
def _following(ends: tuple[int, ...]) -> np.ndarray:
    """Return for each corner the number of the next one of its part."""
    parts = [[*range(start + 1, end), start] for start, end in pairwise([0, *ends])]
    following = np.concatenate(parts)
    following.setflags(write=False)
    return following
