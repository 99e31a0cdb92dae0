"""Objects that a detector misses, by occlusion (Hoiem, Chodpathumwan and Dai 2012).

Detections in falling order of their score each take the object, not taken yet, that
they overlap most, if by half at least; the first that so comes to an ignored object is
left out, others are wrong. Precision is normalised: as if every class had as many
objects as 0.15 of the images, and it may not rise with recall. An object is missed if
no detection took it, or one whose normalised precision is under 0.05.

Occlusion counts from 0 (none) over 1 (low, up to 10 %) and 2 (medium, up to 50 %) to 3.
An object that the image's border cuts counts as occluded at every level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .objects import FoundObjects, TrueObjects, blocks_of_pairs

OBJECTS_PER_IMAGE = 0.15
MIN_PRECISION = 0.05
# What becomes of a detection that takes nothing.
WRONG, LEFT_OUT = -1, -2


@dataclass(frozen=True)
class MissedShares:
    """Which share of a set of objects is missed.

    Args:
        by_class: (K,) shares; nan for a class without such objects.
        num_objects: (K,) objects of the set.
        mean: Mean of the classes that have some.
        pooled: Share of all objects of the set together.
    """

    by_class: np.ndarray
    num_objects: np.ndarray
    mean: float
    pooled: float


def missed_objects(
    truth: TrueObjects,
    found: FoundObjects,
    num_images: int,
    num_classes: int,
    min_overlap: float = 0.5,
) -> np.ndarray:
    """Return (G,) whether an object is missed; ignored ones never are."""
    order = np.argsort(-found.scores, kind='stable')
    takes = taken_objects(truth, found, order, min_overlap)
    counts = ~truth.is_ignored.astype(bool)
    is_missed = counts.copy()
    for label in range(num_classes):
        num_objects = int((counts & (truth.labels == label)).sum())
        if num_objects == 0:
            continue
        rows = order[found.labels[order] == label]
        precision = normalised_precision(
            takes[rows] >= 0,
            takes[rows] == WRONG,
            num_objects,
            OBJECTS_PER_IMAGE * num_images,
        )
        is_sure = (takes[rows] >= 0) & (precision >= MIN_PRECISION)
        is_missed[takes[rows[is_sure]]] = False
    return is_missed


def taken_objects(
    truth: TrueObjects, found: FoundObjects, order: np.ndarray, min_overlap: float
) -> np.ndarray:
    """Return (M,) the object that each detection takes, or what becomes of it.

    Args:
        truth: The objects.
        found: The detections.
        order: (M,) rows of detections, surest first.
        min_overlap: IoU from which a detection takes an object.
    """
    candidates: dict[int, list[tuple[float, int]]] = {}
    for block in blocks_of_pairs(truth, found):
        reaches = block.overlaps >= min_overlap
        columns = (block.found[reaches], block.overlaps[reaches], block.truth[reaches])
        for row, overlap, place in zip(*(c.tolist() for c in columns), strict=True):
            candidates.setdefault(row, []).append((overlap, place))
    takes = np.full(len(found.labels), WRONG)
    is_taken = np.zeros(len(truth.labels), dtype=bool)
    for row in order.tolist():
        free = [pair for pair in candidates.get(row, ()) if not is_taken[pair[1]]]
        if free:
            # Of equal overlaps the first in the table.
            _, place = max(free, key=lambda pair: (pair[0], -pair[1]))
            takes[row] = LEFT_OUT if truth.is_ignored[place] else place
            is_taken[place] = True
    return takes


def normalised_precision(
    is_right: np.ndarray, is_wrong: np.ndarray, num_objects: int, normal: float
) -> np.ndarray:
    """Return (M,) the normalised precision at each detection, surest first.

    Args:
        is_right: (M,) detections that took an object.
        is_wrong: (M,) those that count as wrong.
        num_objects: Objects of the class.
        normal: As how many they count.
    """
    hits = np.cumsum(is_right) * (normal / num_objects)
    answers = hits + np.cumsum(is_wrong)
    precision = np.divide(hits, answers, out=np.zeros(len(hits)), where=answers > 0)
    return np.maximum.accumulate(precision[::-1])[::-1]


def is_occluded(
    occlusion: np.ndarray, is_truncated: np.ndarray, level: int
) -> np.ndarray:
    """Return (G,) whether objects are occluded by at least a level (1, 2 or 3)."""
    if level not in (1, 2, 3):
        raise ValueError(
            f'level: expected 1 (low), 2 (medium) or 3 (high), got {level}'
        )
    return (np.asarray(occlusion) >= level) | np.asarray(is_truncated, dtype=bool)


def missed_shares(
    is_missed: np.ndarray,
    truth: TrueObjects,
    in_set: np.ndarray,
    labels: Sequence[int],
) -> MissedShares:
    """Return which share of a set of objects is missed.

    Args:
        is_missed: (G,) as ``missed_objects`` says.
        truth: The objects; ignored ones are in no set.
        in_set: (G,) which objects.
        labels: Classes that have occlusion labels, in the order of the result.
    """
    counts = np.asarray(in_set, dtype=bool) & ~truth.is_ignored.astype(bool)
    own = [counts & (truth.labels == label) for label in labels]
    num_objects = np.array([int(one.sum()) for one in own], dtype=np.int64)
    num_missed = np.array([int(is_missed[one].sum()) for one in own])
    shares = np.full(len(own), np.nan)
    has_some = num_objects > 0
    shares[has_some] = num_missed[has_some] / num_objects[has_some]
    total = int(num_objects.sum())
    return MissedShares(
        by_class=shares,
        num_objects=num_objects,
        mean=float(shares[has_some].mean()) if has_some.any() else float('nan'),
        pooled=float(num_missed.sum() / total) if total else float('nan'),
    )


def resampled_missed_shares(
    is_missed: np.ndarray,
    truth: TrueObjects,
    in_set: np.ndarray,
    labels: Sequence[int],
    weights: np.ndarray,
) -> np.ndarray:
    """Return (R,) the mean of classes of each resample; nan where it has no object.

    Args:
        is_missed: (G,) as ``missed_objects`` says.
        truth: The objects.
        in_set: (G,) which objects.
        labels: Classes that have occlusion labels.
        weights: (R, N) how often each image was drawn.
    """
    counts = np.asarray(in_set, dtype=bool) & ~truth.is_ignored.astype(bool)
    totals, num_classes = np.zeros(len(weights)), np.zeros(len(weights))
    for label in labels:
        own = np.flatnonzero(counts & (truth.labels == label))
        drawn = weights[:, truth.image_index[own]].astype(np.float64)
        objects, missed = drawn.sum(1), drawn @ is_missed[own]
        totals += np.divide(missed, objects, np.zeros(len(drawn)), where=objects > 0)
        num_classes += objects > 0
    none = np.full(len(weights), np.nan)
    return np.divide(totals, num_classes, none, where=num_classes > 0)
