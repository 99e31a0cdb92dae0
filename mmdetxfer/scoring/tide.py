"""What kind of error each false detection is, and what curing the kind would gain.

TIDE (Bolya et al. 2020), as its code decides. Detections of an image, surest first,
each take the free object of their class that they overlap most, if by 0.5 at least.
Of the others each is the first of these that it fits:

- Loc: an object of its class, overlapped by 0.1 to 0.5, both ends included;
- Cls: an object of another class, by at least 0.5;
- Dupe: a taken object of its class, by at least 0.5;
- Bkg: no object by more than 0.1;
- Both: the rest (wrong class and badly placed).

An object that no detection took is missed, unless a Loc or Cls error on it could be
cured. Curing a kind alone: of the Loc and Cls errors on an object that nobody took the
surest becomes right, all others vanish; Dupe, Bkg and Both vanish; missed objects need
not be found. FP: all false detections come last. FN: no object that was not taken needs
to be found. The gain is that of mean AP at 101 recalls (COCO's rule); kinds that gain
less than nothing, which the steps of that rule can cause, gain 0.

A detection that took nothing and of which more than half lies in an ignored object of
its class is left out, but can still be cured, as in the original. Unlike there, a class
without objects does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np

from .objects import FoundObjects, TrueObjects, box_areas

# What becomes of a detection, and of an object: the place in these lists.
DETECTION_KINDS = ('right', 'Cls', 'Loc', 'Both', 'Dupe', 'Bkg')
OBJECT_STATES = ('found', 'Loc', 'Cls', 'missed', 'ignored')
RIGHT, CLS, LOC, BOTH, DUPE, BKG = range(6)
FOUND, MISPLACED, MISNAMED, MISSED, IGNORED = range(5)
MAIN_ERRORS = ('Cls', 'Loc', 'Both', 'Dupe', 'Bkg', 'Miss')
SPECIAL_ERRORS = ('FP', 'FN')
_RECALLS = np.arange(101) / 100


@dataclass(frozen=True)
class Errors:
    """What the M detections and G objects of a test set are.

    Args:
        kinds: (M,) places in ``DETECTION_KINDS``.
        objects: (M,) the object that is taken, or that the error is about; -1 for none.
        is_left_out: (M,) wrong but within an ignored object.
        is_curable: (M,) whether its cure makes it right.
        states: (G,) places in ``OBJECT_STATES``; Loc and Cls are those of the surest
            error on an object that could be cured.
    """

    kinds: np.ndarray
    objects: np.ndarray
    is_left_out: np.ndarray
    is_curable: np.ndarray
    states: np.ndarray


def find_errors(
    truth: TrueObjects,
    found: FoundObjects,
    min_overlap: float = 0.5,
    max_background: float = 0.1,
) -> Errors:
    """Decide what each detection and each object is.

    Args:
        truth: The objects.
        found: The detections; of equal scores the first in the table is the surer.
        min_overlap: IoU from which a detection takes an object.
        max_background: IoU up to which it touches none.
    """
    num_images = 1 + max(
        truth.image_index.max(initial=-1), found.image_index.max(initial=-1)
    )
    by_score = np.argsort(-found.scores, kind='stable')
    rows = by_score[np.argsort(found.image_index[by_score], kind='stable')]
    places = np.argsort(truth.image_index, kind='stable')
    images = np.arange(num_images + 1)
    results = _errors_of_images(
        rows,
        np.searchsorted(found.image_index[rows], images),
        found.boxes.astype(np.float64),
        found.labels.astype(np.int64),
        places,
        np.searchsorted(truth.image_index[places], images),
        truth.boxes.astype(np.float64),
        truth.labels.astype(np.int64),
        truth.is_ignored.astype(np.bool_),
        box_areas(found.boxes, truth.is_inclusive),
        box_areas(truth.boxes, truth.is_inclusive),
        float(truth.is_inclusive),
        min_overlap,
        max_background,
    )
    return Errors(*results)


@numba.njit(cache=True)
def _errors_of_images(
    rows,
    row_starts,
    found_boxes,
    found_labels,
    places,
    place_starts,
    true_boxes,
    true_labels,
    is_ignored,
    found_areas,
    true_areas,
    extra,
    min_overlap,
    max_background,
):
    kinds = np.full(len(found_labels), BKG)
    objects = np.full(len(found_labels), -1)
    is_left_out = np.zeros(len(found_labels), dtype=np.bool_)
    is_curable = np.zeros(len(found_labels), dtype=np.bool_)
    states = np.where(is_ignored, IGNORED, MISSED)
    for image in range(len(row_starts) - 1):
        own = rows[row_starts[image] : row_starts[image + 1]]
        there = places[place_starts[image] : place_starts[image + 1]]
        overlaps = np.zeros((len(own), len(there)))
        for i in range(len(own)):
            for j in range(len(there)):
                a, b = found_boxes[own[i]], true_boxes[there[j]]
                width = min(a[2], b[2]) - max(a[0], b[0]) + extra
                height = min(a[3], b[3]) - max(a[1], b[1]) + extra
                common = max(width, 0.0) * max(height, 0.0)
                whole = found_areas[own[i]]
                if not is_ignored[there[j]]:
                    whole = whole + true_areas[there[j]] - common
                overlaps[i, j] = common / whole if whole > 0 else 0.0
        # All detections of an image take their objects before errors are looked at.
        for i in range(len(own)):
            best, taken = min_overlap, -1
            for j in range(len(there)):
                is_same = found_labels[own[i]] == true_labels[there[j]]
                if is_same and states[there[j]] == MISSED:
                    # The first of equal ones.
                    if overlaps[i, j] > best or (taken < 0 and overlaps[i, j] == best):
                        best, taken = overlaps[i, j], j
            if taken >= 0:
                kinds[own[i]], objects[own[i]] = RIGHT, there[taken]
                states[there[taken]] = FOUND
        for i in range(len(own)):
            if objects[own[i]] >= 0:
                continue
            same, other, used, any_class = -1, -1, -1, 0.0
            for j in range(len(there)):
                is_same = found_labels[own[i]] == true_labels[there[j]]
                value = overlaps[i, j]
                if is_ignored[there[j]]:
                    is_left_out[own[i]] |= is_same and value > min_overlap
                    continue
                any_class = max(any_class, value)
                if is_same:
                    if same < 0 or value > overlaps[i, same]:
                        same = j
                    if states[there[j]] == FOUND:
                        if used < 0 or value > overlaps[i, used]:
                            used = j
                elif other < 0 or value > overlaps[i, other]:
                    other = j
            kind, about = BOTH, -1
            if same >= 0 and max_background <= overlaps[i, same] <= min_overlap:
                kind, about = LOC, same
            elif other >= 0 and overlaps[i, other] >= min_overlap:
                kind, about = CLS, other
            elif used >= 0 and overlaps[i, used] >= min_overlap:
                kind, about = DUPE, used
            elif any_class <= max_background:
                kind = BKG
            kinds[own[i]] = kind
            if about >= 0:
                objects[own[i]] = there[about]
                # Surest first, so that the first error on a missed object is cured.
                if kind != DUPE and states[there[about]] == MISSED:
                    is_curable[own[i]] = True
                    states[there[about]] = MISPLACED if kind == LOC else MISNAMED
    return kinds, objects, is_left_out, is_curable, states


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
    has_objects = _weighted_counts(truth, truth.is_ignored == 0, num_classes, weights)
    results = {}
    for name, cured in _cures(truth, found, errors):
        labels, scores, is_right, kept, needed = cured
        num_objects = _weighted_counts(truth, needed, num_classes, weights)
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


def _weighted_counts(
    truth: TrueObjects, chosen: np.ndarray, num_classes: int, weights: np.ndarray
) -> np.ndarray:
    """Return (R, K) objects of each class in each resample."""
    counts = np.zeros((weights.shape[1], num_classes))
    np.add.at(counts, (truth.image_index[chosen], truth.labels[chosen]), 1)
    return weights.astype(np.float64) @ counts


@numba.njit(parallel=True, cache=True)
def _precisions_at_recalls(is_right, images, starts, weights, num_objects, recalls):
    """Return (R, K) AP at the recalls, and whether there is any detection."""
    num_classes = len(starts) - 1
    result = np.zeros((len(weights), num_classes))
    has_some = np.zeros((len(weights), num_classes), dtype=np.bool_)
    for resample in numba.prange(len(weights)):
        own = weights[resample]
        for label in range(num_classes):
            begin, end = starts[label], starts[label + 1]
            reached = np.empty(end - begin)
            precisions = np.empty(end - begin)
            right, answers = 0.0, 0.0
            for row in range(begin, end):
                answers += own[images[row]]
                if is_right[row]:
                    right += own[images[row]]
                precisions[row - begin] = right / answers if answers > 0 else 0.0
                reached[row - begin] = right
            has_some[resample, label] = answers > 0
            total = num_objects[resample, label]
            if total <= 0 or answers == 0:
                continue
            for place in range(len(precisions) - 2, -1, -1):
                precisions[place] = max(precisions[place], precisions[place + 1])
            place, area = 0, 0.0
            for recall in recalls:
                while place < len(reached) and reached[place] / total < recall:
                    place += 1
                if place == len(reached):
                    break
                area += precisions[place]
            result[resample, label] = area / len(recalls)
    return result, has_some
