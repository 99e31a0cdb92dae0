"""Boxes: sizes, clipping, and overlap over own area.

Corners are inclusive pixels, as in the original: a box from 3 to 3 is one pixel wide,
and areas have a + 1 in each direction. The one exception is :func:`box_sizes`.
"""

import numpy as np


def box_sizes(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return root of the area, longer side and shorter side of (N, 4) boxes.

    Sides are whole pixels, ``int(x2 - x1)``, without the + 1; swapped corners have 0.
    """
    sides = np.maximum(np.trunc(boxes[:, 2:] - boxes[:, :2]), 0)
    return np.sqrt(sides[:, 0] * sides[:, 1]), sides.max(1), sides.min(1)


def flip_boxes(boxes: np.ndarray, width: int) -> np.ndarray:
    """Return (N, 4) boxes in the mirrored image of a given width."""
    flipped = boxes.copy()
    flipped[:, 0], flipped[:, 2] = width - boxes[:, 2] - 1, width - boxes[:, 0] - 1
    return flipped


def clip_boxes(boxes: np.ndarray, max_x: int, max_y: int) -> np.ndarray:
    """Return (N, 4) boxes with coordinates from 0 to the given largest ones."""
    limits = np.array([max_x, max_y, max_x, max_y], dtype=boxes.dtype)
    return np.maximum(np.minimum(boxes, limits), 0)


def contains(windows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return (W, N) whether a window holds all of a box."""
    starts = (windows[:, None, :2] <= boxes[None, :, :2]).all(2)
    return starts & (windows[:, None, 2:] >= boxes[None, :, 2:]).all(2)


def overlap_over_own_area(windows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return (W, N): the share of each box's area that lies in each window."""
    low = np.maximum(windows[:, None, :2], boxes[None, :, :2])
    high = np.minimum(windows[:, None, 2:], boxes[None, :, 2:])
    sides = np.maximum(high - low + 1, 0)
    own = boxes[:, 2:] - boxes[:, :2] + 1
    return sides[..., 0] * sides[..., 1] / (own[:, 0] * own[:, 1])
