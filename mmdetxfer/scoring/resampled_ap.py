"""Mean average precision of resampled test sets, by weights of images.

A resample of images is a weight for each: how often it was drawn. Counting right and
wrong detections and objects by weight gives the score of the resampled set without
building it. What each detection looks at does not depend on other images.
"""

from collections.abc import Sequence

import numba
import numpy as np

from .objects import FoundObjects, TrueObjects, box_areas
from .voc_ap import NO_SIZE_LIMIT, Matches

# How a detection that reaches the threshold counts.
_RIGHT_OR_SECOND, _LEFT_OUT = 1, 2


def image_weights(num_images: int, num_resamples: int, seed: int) -> np.ndarray:
    """Return (R, N) how often each image was drawn in each resample."""
    rng = np.random.default_rng(seed)
    shares = np.full(num_images, 1 / num_images)
    return rng.multinomial(num_images, shares, size=num_resamples).astype(np.uint16)


def counted_objects(
    truth: TrueObjects, size_range_px: tuple[float, float] = NO_SIZE_LIMIT
) -> np.ndarray:
    """Return (G,) which objects are to be found: of the size, and not ignored."""
    low, high = (limit**2 for limit in size_range_px)
    areas = box_areas(truth.boxes, truth.is_inclusive)
    return ~truth.is_ignored.astype(bool) & (areas >= low) & (areas < high)


def resampled_mean_precisions(
    truth: TrueObjects,
    found: FoundObjects,
    matches: Matches,
    iou_thresholds: Sequence[float],
    num_classes: int,
    weights: np.ndarray,
    size_range_px: tuple[float, float] = NO_SIZE_LIMIT,
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean AP (area rule) of each resample, and how many classes it is of.

    A class without an object in a resample is left out there: for all candidates
    alike, since it depends on the truth alone.

    Args:
        truth: The objects.
        found: The detections.
        matches: What each looks at.
        iou_thresholds: T thresholds.
        num_classes: Classes of the test set.
        weights: (R, N) weights of the images, whole numbers: sums of them are exact.
        size_range_px: As in ``average_precisions``.

    Returns:
        (R, T) means, nan without any class; (R,) numbers of classes.
    """
    low, high = (limit**2 for limit in size_range_px)
    counts = counted_objects(truth, size_range_px)
    areas = box_areas(found.boxes, truth.is_inclusive)
    is_of_size = (areas >= low) & (areas < high)
    kinds = np.where(np.append(counts, False)[matches.truth], _RIGHT_OR_SECOND, 0)
    kinds = np.where((matches.truth >= 0) & (kinds == 0), _LEFT_OUT, kinds)
    ends = np.searchsorted(found.labels[matches.order], np.arange(num_classes + 1))
    thresholds = np.asarray(iou_thresholds, dtype=np.float64)
    weights = np.ascontiguousarray(weights)
    totals = np.zeros((len(weights), len(thresholds)))
    num_defined = np.zeros(len(weights), dtype=np.int64)
    for label in range(num_classes):
        objects = counts & (truth.labels == label)
        num_objects = weights[:, truth.image_index[objects]].sum(1, dtype=np.int64)
        rows = matches.order[ends[label] : ends[label + 1]]
        totals += _precisions(
            matches.overlaps[rows],
            matches.surer[rows],
            kinds[rows].astype(np.uint8),
            is_of_size[rows],
            found.image_index[rows].astype(np.int64),
            weights,
            num_objects,
            thresholds,
        )
        num_defined += num_objects > 0
    with np.errstate(invalid='ignore'):
        means = np.where(num_defined[:, None] > 0, totals, np.nan)
        return means / np.maximum(num_defined, 1)[:, None], num_defined


@numba.njit(parallel=True, cache=True)
def _precisions(
    overlaps, surer, kinds, is_of_size, images, weights, num_objects, thresholds
):
    """Return (R, T) areas under the precision that cannot rise; 0 without objects.

    Between two right detections precision only falls, so that it is taken where one is
    right. What is near no object counts alike for all thresholds, and is counted once.
    """
    near = np.flatnonzero((kinds > 0) & (overlaps >= thresholds.min()))
    result = np.zeros((len(weights), len(thresholds)))
    for resample in numba.prange(len(weights)):
        if num_objects[resample] == 0:
            continue
        own = weights[resample]
        # Answers up to each that is near an object, if none of them were.
        apart, total, row = np.empty(len(near)), 0.0, 0
        for place in range(len(near)):
            while row <= near[place]:
                if is_of_size[row]:
                    total += own[images[row]]
                row += 1
            apart[place] = total
        gains = np.empty(len(near))
        precisions = np.empty(len(near))
        for column in range(len(thresholds)):
            threshold = thresholds[column]
            right, moved, num_right = 0.0, 0.0, 0
            for place in range(len(near)):
                row = near[place]
                weight = float(own[images[row]])
                if weight == 0 or overlaps[row] < threshold:
                    continue
                moved -= weight * is_of_size[row]
                if kinds[row] == 1:
                    moved += weight
                    if surer[row] < threshold:
                        right += weight
                        gains[num_right] = weight
                        precisions[num_right] = right / (apart[place] + moved)
                        num_right += 1
            greatest, area = 0.0, 0.0
            for place in range(num_right - 1, -1, -1):
                greatest = max(greatest, precisions[place])
                area += greatest * gains[place]
            result[resample, column] = area / num_objects[resample]
    return result
