"""Tables of true and found objects of a test set: what every detection score reads.

Images and classes are indices. Boxes are (N, 4) corners x1, y1, x2, y2; whether the
last pixel belongs to a box (``is_inclusive``) is one fact for truth and found boxes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

_PAIRS_AT_A_TIME = 1 << 22


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


Table = TypeVar('Table', TrueObjects, FoundObjects)


def of_classes(table: Table, labels: Sequence[int]) -> Table:
    """Return the rows of some classes, which are numbered anew in this order."""
    places = np.full(1 + max([*labels, *table.labels.tolist()], default=0), -1)
    places[list(labels)] = np.arange(len(labels))
    numbers = places[table.labels]
    columns = {
        field.name: getattr(table, field.name)[numbers >= 0]
        for field in fields(table)
        if field.name not in ('labels', 'is_inclusive')
    }
    return replace(table, labels=numbers[numbers >= 0], **columns)


def _check_columns(table: TrueObjects | FoundObjects, names: tuple[str, ...]) -> None:
    num_rows = len(table.labels)
    for name in names:
        shape = getattr(table, name).shape
        expected = (num_rows, 4) if name == 'boxes' else (num_rows,)
        if shape != expected:
            raise ValueError(f'{name}: expected the shape {expected}, got {shape}')


def box_areas(boxes: np.ndarray, is_inclusive: bool) -> np.ndarray:
    """Return (N,) areas; swapped corners have none."""
    # In half precision an area of 65,504 pixels has no number.
    boxes = np.asarray(boxes, dtype=np.float64)
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


@dataclass(frozen=True)
class PairBlock:
    """Pairs of a detection and an object of its image and class, P of them.

    Args:
        found: (P,) rows of detections, those of one together.
        truth: (P,) rows of objects, rising for each detection.
        overlaps: (P,) intersection over union.
        firsts: Where the pairs of each detection begin.
    """

    found: np.ndarray
    truth: np.ndarray
    overlaps: np.ndarray
    firsts: np.ndarray

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.found)


def blocks_of_pairs(truth: TrueObjects, found: FoundObjects) -> Iterator[PairBlock]:
    """Yield all pairs, block by block; detections without an object are in none."""
    if len(found.labels) == 0 or len(truth.labels) == 0:
        return
    num_classes = 1 + max(found.labels.max(), truth.labels.max())
    keys = truth.image_index.astype(np.int64) * num_classes + truth.labels
    order = np.argsort(keys, kind='stable')
    wanted = found.image_index.astype(np.int64) * num_classes + found.labels
    starts = np.searchsorted(keys[order], wanted, 'left')
    counts = np.searchsorted(keys[order], wanted, 'right') - starts
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(0, ends[-1], _PAIRS_AT_A_TIME)[1:])
    for rows in np.split(np.arange(len(wanted)), cuts):
        rows = rows[counts[rows] > 0]
        if len(rows) == 0:
            continue
        firsts = np.cumsum(counts[rows]) - counts[rows]
        own = np.repeat(np.arange(len(rows)), counts[rows])
        steps = np.arange(len(own)) - firsts[own]
        candidates = order[starts[rows][own] + steps]
        overlaps = pair_overlaps(
            found.boxes[rows[own]].astype(np.float64),
            truth.boxes[candidates].astype(np.float64),
            truth.is_inclusive,
        )
        yield PairBlock(rows[own], candidates, overlaps, firsts)
