"""Four kinds of false detections (Hoiem, Chodpathumwan and Dai 2012).

A detection is right, or left out on an ignored object, by the rule of ``missed``. Of
the others each is the first of these that it fits, by IoU of at least 0.1 with any
object, taken, ignored or not:

- Loc: one of its class (badly placed, or a second one on the same object);
- Sim: one of a similar class;
- Oth: one of another class;
- BG: none.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .missed import LEFT_OUT, taken_objects
from .objects import FoundObjects, TrueObjects, blocks_of_pairs
from .super_categories import MEMBERS

KINDS = ('right', 'Loc', 'Sim', 'Oth', 'BG', 'left out')
_RIGHT, _LOC, _SIM, _OTH, _BG, _LEFT_OUT = range(6)
# The authors' sets of similar classes, with COCO's names beside VOC's.
SIMILAR = (
    ('person', *MEMBERS['animal']),
    MEMBERS['vehicle'],
    ('chair', 'sofa', 'couch', 'diningtable', 'dining table'),
    ('bird', 'aeroplane', 'airplane'),
)


def similar_classes(
    classes: Sequence[str], groups: Sequence[Sequence[str]] = SIMILAR
) -> np.ndarray:
    """Return (K, K) whether two different classes are in a group together."""
    is_similar = np.zeros((len(classes), len(classes)), dtype=bool)
    for group in groups:
        member = np.array([name in group for name in classes], dtype=bool)
        is_similar |= np.outer(member, member)
    np.fill_diagonal(is_similar, False)
    return is_similar


def detection_kinds(
    truth: TrueObjects,
    found: FoundObjects,
    is_similar: np.ndarray,
    min_overlap: float = 0.5,
    weak_overlap: float = 0.1,
) -> np.ndarray:
    """Return (M,) places in ``KINDS``.

    Args:
        truth: The objects.
        found: The detections.
        is_similar: (K, K) which classes are similar.
        min_overlap: IoU from which a detection takes an object.
        weak_overlap: IoU from which it is on one.
    """
    order = np.argsort(-found.scores, kind='stable')
    takes = taken_objects(truth, found, order, min_overlap)
    touches = np.zeros((3, len(found.labels)), dtype=bool)
    # Pairs whatever the classes.
    objects = replace(truth, labels=np.zeros_like(truth.labels))
    answers = replace(found, labels=np.zeros_like(found.labels))
    for block in blocks_of_pairs(objects, answers):
        reaches = block.overlaps >= weak_overlap
        rows = block.found[reaches]
        mine, theirs = found.labels[rows], truth.labels[block.truth[reaches]]
        is_same, is_near = mine == theirs, is_similar[mine, theirs]
        for place, chosen in enumerate((is_same, is_near, ~is_same & ~is_near)):
            touches[place, rows[chosen]] = True
    first = np.argmax(touches, axis=0) + _LOC
    kinds = np.where(touches.any(0), first, _BG)
    kinds[takes >= 0] = _RIGHT
    kinds[takes == LEFT_OUT] = _LEFT_OUT
    return kinds


def surest_detections(
    truth: TrueObjects, found: FoundObjects, num_classes: int
) -> np.ndarray:
    """Return (M,) whether a detection is one of the surest of its class.

    Of each class as many are as it has objects, as in the authors' charts; so no
    threshold of scores, which differ between detectors, is needed.
    """
    counts = np.bincount(truth.labels[truth.is_ignored == 0], minlength=num_classes)
    is_sure = np.zeros(len(found.labels), dtype=bool)
    order = np.argsort(-found.scores, kind='stable')
    for label in range(num_classes):
        is_sure[order[found.labels[order] == label][: counts[label]]] = True
    return is_sure


def kind_shares(
    found: FoundObjects, kinds: np.ndarray, is_sure: np.ndarray
) -> dict[str, float]:
    """Return which share of the surest detections is of each kind, mean of classes.

    One that is left out counts as right, as in the authors' charts.

    Args:
        found: The detections.
        kinds: (M,) as ``detection_kinds`` says.
        is_sure: (M,) which ones count.
    """
    kinds = np.where(kinds == _LEFT_OUT, _RIGHT, kinds)
    shares = [
        np.bincount(kinds[is_sure & (found.labels == label)], minlength=_LEFT_OUT)
        for label in np.unique(found.labels[is_sure])
    ]
    if not shares:
        return dict.fromkeys(KINDS[:_LEFT_OUT], float('nan'))
    means = np.mean([counts / counts.sum() for counts in shares], axis=0)
    return dict(zip(KINDS[:_LEFT_OUT], means.tolist(), strict=True))
