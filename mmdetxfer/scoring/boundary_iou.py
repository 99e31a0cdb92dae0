"""Boundary IoU: intersection over union of the rims of masks (Cheng et al. 2021).

The rim of a class holds its pixels that a square of side 2d + 1 around does not keep
within it; the image's border counts as its end. d is 2 % of the diagonal, rounded, and
1 pixel at least. Here for label maps, all classes at once: a pixel is in its class's
rim if it is within d of another label, or of the border. Void pixels of the truth count
in no rim, but end the rims of the classes beside them, in the prediction too, so that
one that is right wherever it can be has 1.
"""

import numba
import numpy as np

from .trimap import check_labels, distances_to, edges, widths_in_pixels

SHARE_OF_DIAGONAL = 0.02


def rim_counts(
    truth: np.ndarray,
    predicted: np.ndarray,
    num_classes: int,
    ignore_index: int,
    share_of_diagonal: float = SHARE_OF_DIAGONAL,
) -> np.ndarray:
    """Return (3, K) pixels of the rims: true, predicted, both.

    Args:
        truth: (H, W) labels.
        predicted: (H, W) labels.
        num_classes: K.
        ignore_index: The label of void pixels.
        share_of_diagonal: Width of a rim.
    """
    check_labels(truth, predicted, num_classes, ignore_index)
    (width,) = widths_in_pixels([share_of_diagonal], truth.shape, of_diagonal=True)
    ends = np.where(truth == ignore_index, truth, predicted)
    rims = [_is_in_rim(labels, width) for labels in (truth, ends)]
    counts = np.zeros((3, num_classes), dtype=np.int64)
    _count(truth, predicted, *rims, ignore_index, counts)
    return counts


def _is_in_rim(labels: np.ndarray, width: float) -> np.ndarray:
    # An edge pixel is 1 from what is beyond.
    return distances_to(edges(labels, beyond=True), 'square') + 1 <= width


@numba.njit(cache=True)
def _count(truth, predicted, true_rim, predicted_rim, ignore_index, counts):
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            label = truth[y, x]
            if label == ignore_index:
                continue
            if true_rim[y, x]:
                counts[0, label] += 1
            if predicted_rim[y, x]:
                counts[1, predicted[y, x]] += 1
                if true_rim[y, x] and label == predicted[y, x]:
                    counts[2, label] += 1
