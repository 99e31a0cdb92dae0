"""What kind of error each false detection is (TIDE, Bolya et al. 2020).

As the authors' code decides. Detections of an image, surest first, each take the free
object of their class that they overlap most, if by 0.5 at least. Of the others each is
the first of these that it fits:

- Loc: an object of its class, overlapped by 0.1 to 0.5, both ends included;
- Cls: an object of another class, by at least 0.5;
- Dupe: a taken object of its class, by at least 0.5;
- Bkg: no object by more than 0.1;
- Both: the rest (wrong class and badly placed).

An object that no detection took is missed, unless a Loc or Cls error on it could be
cured. A detection that took nothing and of which more than half lies in an ignored
object of its class is left out, but can still be cured, as in the original. Unlike
there, which looks at the 100 surest detections of an image, all count.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from .objects import FoundObjects, TrueObjects, box_areas

# What becomes of a detection, and of an object: the place in these lists.
DETECTION_KINDS = ('right', 'Cls', 'Loc', 'Both', 'Dupe', 'Bkg')
OBJECT_STATES = ('found', 'Loc', 'Cls', 'missed', 'ignored')
RIGHT, CLS, LOC, BOTH, DUPE, BKG = range(6)
FOUND, MISPLACED, MISNAMED, MISSED, IGNORED = range(5)


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
    overlaps = _Boxes(
        found.boxes.astype(np.float64),
        truth.boxes.astype(np.float64),
        box_areas(found.boxes, truth.is_inclusive),
        box_areas(truth.boxes, truth.is_inclusive),
        truth.is_ignored.astype(np.bool_),
        float(truth.is_inclusive),
    )
    labels = (found.labels.astype(np.int64), truth.labels.astype(np.int64))
    limits = (min_overlap, max_background)
    starts = (
        np.searchsorted(found.image_index[rows], images),
        np.searchsorted(truth.image_index[places], images),
    )
    return Errors(*_errors_of_images(rows, places, starts, overlaps, labels, limits))


class _Boxes(NamedTuple):
    """What overlaps are made of: boxes, areas, whether an object is a region."""

    found: np.ndarray
    true: np.ndarray
    found_areas: np.ndarray
    true_areas: np.ndarray
    is_ignored: np.ndarray
    extra: float


@numba.njit(cache=True)
def _errors_of_images(rows, places, starts, boxes, labels, limits):
    kinds = np.full(len(labels[0]), BKG)
    objects = np.full(len(labels[0]), -1)
    is_left_out = np.zeros(len(labels[0]), dtype=np.bool_)
    is_curable = np.zeros(len(labels[0]), dtype=np.bool_)
    states = np.where(boxes.is_ignored, IGNORED, MISSED)
    for image in range(len(starts[0]) - 1):
        own = rows[starts[0][image] : starts[0][image + 1]]
        there = places[starts[1][image] : starts[1][image + 1]]
        overlaps = _overlaps(own, there, boxes)
        # All detections of an image take their objects before errors are looked at.
        for i in range(len(own)):
            label = labels[0][own[i]]
            taken = _free_object(overlaps[i], label, there, labels[1], states, limits)
            if taken >= 0:
                kinds[own[i]], objects[own[i]] = RIGHT, there[taken]
                states[there[taken]] = FOUND
        for i in range(len(own)):
            row = own[i]
            if objects[row] >= 0:
                continue
            kind, about, left_out = _kind(
                overlaps[i], labels[0][row], there, labels[1], states, limits
            )
            kinds[row], is_left_out[row] = kind, left_out
            if about >= 0:
                objects[row] = there[about]
                # Surest first, so that the first error on a missed object is cured.
                if kind != DUPE and states[there[about]] == MISSED:
                    is_curable[row] = True
                    states[there[about]] = MISPLACED if kind == LOC else MISNAMED
    return kinds, objects, is_left_out, is_curable, states


@numba.njit(cache=True)
def _overlaps(own, there, boxes):
    """Return IoU; of ignored objects, which share of the detection lies in them."""
    overlaps = np.zeros((len(own), len(there)))
    for i in range(len(own)):
        for j in range(len(there)):
            a, b = boxes.found[own[i]], boxes.true[there[j]]
            width = min(a[2], b[2]) - max(a[0], b[0]) + boxes.extra
            height = min(a[3], b[3]) - max(a[1], b[1]) + boxes.extra
            common = max(width, 0.0) * max(height, 0.0)
            whole = boxes.found_areas[own[i]]
            if not boxes.is_ignored[there[j]]:
                whole = whole + boxes.true_areas[there[j]] - common
            overlaps[i, j] = common / whole if whole > 0 else 0.0
    return overlaps


@numba.njit(cache=True)
def _free_object(overlaps, label, there, true_labels, states, limits):
    """Return the place of the free object that is overlapped most, -1 for none."""
    best, taken = limits[0], -1
    for j in range(len(there)):
        if true_labels[there[j]] == label and states[there[j]] == MISSED:
            # The first of equal ones.
            if overlaps[j] > best or (taken < 0 and overlaps[j] == best):
                best, taken = overlaps[j], j
    return taken


@numba.njit(cache=True)
def _kind(overlaps, label, there, true_labels, states, limits):
    """Return the kind of an error, the object it is about, whether it is left out."""
    min_overlap, max_background = limits
    same, other, used, any_class, left_out = -1, -1, -1, 0.0, False
    for j in range(len(there)):
        is_same = true_labels[there[j]] == label
        if states[there[j]] == IGNORED:
            left_out |= is_same and overlaps[j] > min_overlap
            continue
        any_class = max(any_class, overlaps[j])
        if not is_same:
            if other < 0 or overlaps[j] > overlaps[other]:
                other = j
            continue
        if same < 0 or overlaps[j] > overlaps[same]:
            same = j
        if states[there[j]] == FOUND and (used < 0 or overlaps[j] > overlaps[used]):
            used = j
    if same >= 0 and max_background <= overlaps[same] <= min_overlap:
        return LOC, same, left_out
    if other >= 0 and overlaps[other] >= min_overlap:
        return CLS, other, left_out
    if used >= 0 and overlaps[used] >= min_overlap:
        return DUPE, used, left_out
    return BKG if any_class <= max_background else BOTH, -1, left_out
