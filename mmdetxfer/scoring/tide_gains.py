"""What curing each kind of error alone would gain, by TIDE's rules.

Of the Loc and Cls errors on an object that nobody took the surest becomes right, all
others vanish; Dupe, Bkg and Both vanish; missed objects need not be found. FP: all
false detections come last. FN: no object that was not taken needs to be found. The gain
is that of mean AP at 101 recalls (COCO's rule); kinds that gain less than nothing,
which the steps of that rule can cause, gain 0. Unlike in the original, a class without
objects does not count.
"""

from collections.abc import Iterator

import numba
import numpy as np

from .objects import FoundObjects, TrueObjects
from .tide import DETECTION_KINDS, FOUND, MISSED, RIGHT, Errors

MAIN_ERRORS = ('Cls', 'Loc', 'Both', 'Dupe', 'Bkg', 'Miss')
SPECIAL_ERRORS = ('FP', 'FN')
_RECALLS = np.arange(101) / 100


def error_precisions(
    truth: TrueObjects,
    found: FoundObjects,
    errors: Errors,
    num_classes: int,
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return mean AP as it is and with each kind of error cured.

    Args:
        truth: The objects.
        found: The detections.
        errors: What they are.
        num_classes: Classes of the test set.
        weights: (R, N) how often each image was drawn in each resample; None for the
            test set itself.

    Returns:
        For 'AP', each of the ``MAIN_ERRORS`` and ``SPECIAL_ERRORS`` (R,) mean AP over
        the classes with objects in a resample; nan without any.
    """
    if weights is None:
        last = max(truth.image_index.max(initial=0), found.image_index.max(initial=0))
        weights = np.ones((1, last + 1), dtype=np.uint16)
    weights = np.ascontiguousarray(weights)
    has_objects = weighted_counts(truth, truth.is_ignored == 0, num_classes, weights)
    results = {}
    for name, cured in _cures(truth, found, errors):
        labels, scores, is_right, kept, needed = cured
        num_objects = weighted_counts(truth, needed, num_classes, weights)
        rows = np.flatnonzero(kept)
        rows = rows[np.argsort(-scores[rows], kind='stable')]
        rows = rows[np.argsort(labels[rows], kind='stable')]
        starts = np.searchsorted(labels[rows], np.arange(num_classes + 1))
        precisions, has_some = _precisions_at_recalls(
            is_right[rows],
            found.image_index[rows].astype(np.int64),
            starts,
            weights,
            num_objects,
            _RECALLS,
        )
        # As in the original: without objects to find, false detections give 0, and
        # nothing at all no score.
        defined = (has_objects > 0) & ((num_objects > 0) | has_some)
        totals = np.where(defined, precisions, 0).sum(1)
        counts = defined.sum(1)
        results[name] = np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)
    return results


def error_gains(precisions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what each cure gains, out of what ``error_precisions`` returned."""
    gains = {name: precisions[name] - precisions['AP'] for name in precisions}
    del gains['AP']
    return {
        name: np.maximum(gain, 0) if name in MAIN_ERRORS else gain
        for name, gain in gains.items()
    }


def _cures(
    truth: TrueObjects, found: FoundObjects, errors: Errors
) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    """Yield each cure: labels, scores, right ones, kept ones, objects to be found."""
    labels = found.labels.astype(np.int64)
    scores = np.asarray(found.scores, dtype=np.float64)
    is_right = errors.kinds == RIGHT
    kept = is_right | ~errors.is_left_out
    needed = truth.is_ignored == 0
    yield 'AP', (labels, scores, is_right, kept, needed)
    for kind in range(1, len(DETECTION_KINDS)):
        is_kind = errors.kinds == kind
        is_cured = is_kind & errors.is_curable
        cured_labels = labels.copy()
        cured_labels[is_cured] = truth.labels[errors.objects[is_cured]]
        stays = (kept & ~is_kind) | is_cured
        cured = (cured_labels, scores, is_right | is_cured, stays, needed)
        yield DETECTION_KINDS[kind], cured
    missed = errors.states == MISSED
    yield 'Miss', (labels, scores, is_right, kept, needed & ~missed)
    yield 'FP', (labels, is_right.astype(np.float64), is_right, kept, needed)
    yield 'FN', (labels, scores, is_right, kept, errors.states == FOUND)


def weighted_counts(
    truth: TrueObjects, chosen: np.ndarray, num_classes: int, weights: np.ndarray
) -> np.ndarray:
    """Return (R, K) objects of each class in each resample."""
    counts = np.zeros((weights.shape[1], num_classes))
    np.add.at(counts, (truth.image_index[chosen], truth.labels[chosen]), 1)
    return weights.astype(np.float64) @ counts


@numba.njit(parallel=True, cache=True)
def _precisions_at_recalls(is_right, images, starts, weights, num_objects, recalls):
    """Return (R, K) AP at the recalls, and whether there is any detection.

    Between two right detections precision only falls, and recall stays.
    """
    num_classes = len(starts) - 1
    result = np.zeros((len(weights), num_classes))
    has_some = np.zeros((len(weights), num_classes), dtype=np.bool_)
    for resample in numba.prange(len(weights)):
        own = weights[resample]
        for label in range(num_classes):
            begin, end = starts[label], starts[label + 1]
            reached = np.empty(end - begin)
            precisions = np.empty(end - begin)
            right, answers, num_right = 0.0, 0.0, 0
            for row in range(begin, end):
                weight = own[images[row]]
                answers += weight
                if is_right[row] and weight > 0:
                    right += weight
                    precisions[num_right] = right / answers
                    reached[num_right] = right
                    num_right += 1
            has_some[resample, label] = answers > 0
            total = num_objects[resample, label]
            if total <= 0 or num_right == 0:
                continue
            for place in range(num_right - 2, -1, -1):
                precisions[place] = max(precisions[place], precisions[place + 1])
            place, area = 0, 0.0
            for recall in recalls:
                while place < num_right and reached[place] / total < recall:
                    place += 1
                if place == num_right:
                    break
                area += precisions[place]
            result[resample, label] = area / len(recalls)
    return result, has_some
