"""VOC's average precision at any IoU thresholds, by both of its rules, in one pass.

Every detection, in falling order of its score (of equal scores the first in the table),
looks at the one object of its image and class that it overlaps most (of equal overlaps
the first in the table). At a threshold t it is right if the overlap is at least t and
no surer detection that looks at the same object reaches t too; a second one is wrong.
One that reaches t on an ignored object is left out. So two numbers a detection, its own
overlap and the greatest of the surer ones, serve all thresholds.

By size (areas from low squared up to, not including, high squared) the other objects
are ignored, and so are detections of other sizes that overlap nothing enough; a second
detection of an object is wrong whatever its size (as in mmdet's ``eval_map``).

Rules: 'area' is the area under the precision that cannot rise (VOC since 2010);
'eleven' the mean of the greatest precision at recalls of at least 0, 0.1 ... 1 (VOC
2007), in the floats of the published programs (``eleven_point_precision``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .objects import FoundObjects, TrueObjects, blocks_of_pairs, box_areas

NO_SIZE_LIMIT = (0.0, float('inf'))
_ELEVEN_RECALLS = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Matches:
    """What each of M detections looks at.

    Args:
        order: (M,) rows by class, in a class by falling score.
        truth: (M,) row of the object in the table of the truth, -1 for none.
        overlaps: (M,) IoU with it, 0 for none.
        surer: (M,) greatest IoU of the surer detections that look at the same object,
            -1 for none.
    """

    order: np.ndarray
    truth: np.ndarray
    overlaps: np.ndarray
    surer: np.ndarray


@dataclass(frozen=True)
class APTable:
    """Average precisions at T thresholds for K classes.

    Args:
        area: (T, K) by the area rule; nan for a class without objects.
        eleven: (T, K) by the rule of eleven points.
        num_objects: (K,) objects that count.
    """

    area: np.ndarray
    eleven: np.ndarray
    num_objects: np.ndarray

    @property
    def num_defined(self) -> int:
        """How many classes have an AP."""
        return int((self.num_objects > 0).sum())

    def mean(self, rule: str = 'area') -> np.ndarray:
        """Return (T,) means over the classes that have one; nan if none has."""
        values = {'area': self.area, 'eleven': self.eleven}[rule]
        defined = values[:, self.num_objects > 0]
        if defined.shape[1] == 0:
            return np.full(len(values), np.nan)
        return defined.mean(1)


def match_objects(truth: TrueObjects, found: FoundObjects) -> Matches:
    """Find the object that each detection looks at, and the surer ones before it."""
    best, overlaps = _best_truth(truth, found)
    by_score = np.argsort(-found.scores, kind='stable')
    order = by_score[np.argsort(found.labels[by_score], kind='stable')]
    surer = np.full(len(order), -1.0)
    # Rows of one object together, surest first; they are of one class.
    rows = order[best[order] >= 0]
    rows = rows[np.argsort(best[rows], kind='stable')]
    surer[rows] = _greatest_before(overlaps[rows], best[rows])
    return Matches(order, best, overlaps, surer)


def _best_truth(
    truth: TrueObjects, found: FoundObjects
) -> tuple[np.ndarray, np.ndarray]:
    """Return (M,) rows of the truth and (M,) overlaps."""
    num_found = len(found.labels)
    best, overlaps = np.full(num_found, -1), np.zeros(num_found)
    for block in blocks_of_pairs(truth, found):
        greatest = np.maximum.reduceat(block.overlaps, block.firsts)
        rows = block.found[block.firsts]
        own = np.repeat(np.arange(len(rows)), np.diff(block.firsts, append=len(block)))
        places = np.flatnonzero(block.overlaps == greatest[own])
        _, first = np.unique(own[places], return_index=True)
        chosen = block.truth[places[first]]
        touches = greatest > 0
        best[rows[touches]] = chosen[touches]
        overlaps[rows] = greatest
    return best, overlaps


def _greatest_before(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return (N,) the greatest value before each in its group, -1 for the first.

    Args:
        values: (N,) from 0 to 1.
        groups: (N,) rising.
    """
    if len(values) == 0:
        return np.zeros(0)
    is_first = np.diff(groups, prepend=groups[0] - 1) != 0
    number = np.cumsum(is_first)
    # Each group above all before it, so that one running maximum serves all; exact
    # values are taken back by their places.
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.lexsort((values, number))] = np.arange(len(values))
    running = np.maximum.accumulate(ranks)
    values_by_rank = np.empty(len(values))
    values_by_rank[ranks] = values
    before = np.concatenate([[0], running[:-1]])
    return np.where(is_first, -1.0, values_by_rank[before])


def average_precisions(
    truth: TrueObjects,
    found: FoundObjects,
    matches: Matches,
    iou_thresholds: Sequence[float],
    num_classes: int,
    size_range_px: tuple[float, float] = NO_SIZE_LIMIT,
) -> APTable:
    """Return the average precisions of all classes at all thresholds."""
    low, high = (limit**2 for limit in size_range_px)
    areas = box_areas(truth.boxes, truth.is_inclusive)
    counts = ~truth.is_ignored.astype(bool) & (areas >= low) & (areas < high)
    areas = box_areas(found.boxes, truth.is_inclusive)
    is_of_size = (areas >= low) & (areas < high)
    num_objects = np.bincount(truth.labels[counts], minlength=num_classes)
    shape = (len(iou_thresholds), num_classes)
    area, eleven = np.full(shape, np.nan), np.full(shape, np.nan)
    ends = np.searchsorted(found.labels[matches.order], np.arange(num_classes + 1))
    for label in np.flatnonzero(num_objects):
        rows = matches.order[ends[label] : ends[label + 1]]
        overlaps, surer = matches.overlaps[rows], matches.surer[rows]
        # The last place, for detections that look at nothing.
        looks_at_one_that_counts = np.append(counts, False)[matches.truth[rows]]
        for place, threshold in enumerate(iou_thresholds):
            reaches = overlaps >= threshold
            is_right = reaches & looks_at_one_that_counts & (surer < threshold)
            is_wrong = np.where(
                reaches, looks_at_one_that_counts & ~is_right, is_of_size[rows]
            )
            hits, wrongs = np.cumsum(is_right), np.cumsum(is_wrong)
            curve = (hits, hits + wrongs, int(num_objects[label]))
            area[place, label] = area_under_precision(*curve)
            eleven[place, label] = eleven_point_precision(*curve)
    return APTable(area, eleven, num_objects)


def area_under_precision(
    hits: np.ndarray, answers: np.ndarray, num_objects: int
) -> float:
    """Return the area under the precision that cannot rise with recall.

    Args:
        hits: (M,) right detections up to each, surest first.
        answers: (M,) right and wrong ones up to each.
        num_objects: Objects to be found.
    """
    envelope = _envelope(hits, answers)
    gains = np.diff(hits, prepend=0)
    return float((envelope * gains).sum() / num_objects)


def eleven_point_precision(
    hits: np.ndarray, answers: np.ndarray, num_objects: int
) -> float:
    """Return the mean of the greatest precision at eleven recalls; see above.

    The recalls are the floats of ``numpy.linspace``, as in the published programs in
    Python: three of them are a hair above 0.3, 0.6 and 0.7, so that a recall of 9/15
    does not reach the seventh.
    """
    envelope = np.append(_envelope(hits, answers), 0.0)
    places = np.searchsorted(hits / num_objects, _ELEVEN_RECALLS)
    return float(envelope[places].mean())


def _envelope(hits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    precision = np.divide(hits, answers, out=np.zeros(len(hits)), where=answers > 0)
    return np.maximum.accumulate(precision[::-1])[::-1]
