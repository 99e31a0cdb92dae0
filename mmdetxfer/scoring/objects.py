"""Tables of true and found objects of a test set: what every detection score reads.

Images and classes are indices. Boxes are (N, 4) corners x1, y1, x2, y2; whether the
last pixel belongs to a box (``is_inclusive``) is one fact for truth and found boxes.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrueObjects:
    """True objects, G of them.

    Args:
        image_index: (G,) which image.
        labels: (G,) which class.
        boxes: (G, 4) corners.
        is_ignored: (G,) difficult, crowd, group-of: neither to be found nor missed.
        is_inclusive: Whether corners are pixels that belong to the box (VOC); else a
            box ends where its last corner is (COCO).
    """

    image_index: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    is_ignored: np.ndarray
    is_inclusive: bool

    def __post_init__(self) -> None:
        """Check that the columns agree."""
        _check_columns(self, ('image_index', 'labels', 'boxes', 'is_ignored'))


@dataclass(frozen=True)
class FoundObjects:
    """Detections, M of them, in any order.

    Args:
        image_index: (M,) which image.
        labels: (M,) which class.
        boxes: (M, 4) corners, by the same pixel rule as the truth.
        scores: (M,) the higher the surer; of equal ones the first counts first.
    """

    image_index: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        """Check that the columns agree and hold numbers."""
        _check_columns(self, ('image_index', 'labels', 'boxes', 'scores'))
        bad = ~(np.isfinite(self.scores) & np.isfinite(self.boxes).all(1))
        if bad.any():
            raise ValueError(
                'detections: expected finite scores and boxes, got '
                f'{int(bad.sum())} that are not, first in row {int(bad.argmax())}'
            )


def _check_columns(table: TrueObjects | FoundObjects, names: tuple[str, ...]) -> None:
    num_rows = len(table.labels)
    for name in names:
        shape = getattr(table, name).shape
        expected = (num_rows, 4) if name == 'boxes' else (num_rows,)
        if shape != expected:
            raise ValueError(f'{name}: expected the shape {expected}, got {shape}')


def box_areas(boxes: np.ndarray, is_inclusive: bool) -> np.ndarray:
    """Return (N,) areas; swapped corners have none."""
    sides = boxes[:, 2:] - boxes[:, :2] + is_inclusive
    return np.maximum(sides, 0).prod(1)


def pair_overlaps(
    first: np.ndarray, second: np.ndarray, is_inclusive: bool
) -> np.ndarray:
    """Return (N,) intersection over union of the n-th box of each."""
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, 2:], second[:, 2:])
    common = np.maximum(high - low + is_inclusive, 0).prod(1)
    union = box_areas(first, is_inclusive) + box_areas(second, is_inclusive) - common
    return np.divide(common, union, out=np.zeros_like(union), where=union > 0)
