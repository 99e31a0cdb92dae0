"""Where in an image a segmentation is right: in bands around boundaries, and outside.

The band of width w holds the pixels that are at most w from a boundary. Around 'void'
pixels it is DeepLab's: the void pixels dilated by a square of side 2w + 1, without
themselves; around 'labels', for data without void pixels, the pixels that are at most w
from one of another label, so that at width 1 there is one row of pixels on either side.
Distances are those of squares ('square') or straight ones ('euclidean'); in the latter
a pixel beside a boundary is at 1 too.

One joint histogram over band, truth and prediction serves all widths: band b holds what
is within the b-th width and not within the one before, the last band what is outside
all. An image without a boundary is outside of every band. Void pixels count nowhere.
"""

from collections.abc import Sequence

import cv2
import numba
import numpy as np

KINDS = ('void', 'labels')
METRICS = {
    'square': (cv2.DIST_C, 3),
    'euclidean': (cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
}
# Farther than any pixel is.
_NO_BOUNDARY = np.float32(1e9)


def boundary_distances(
    truth: np.ndarray, ignore_index: int, kind: str = 'void', metric: str = 'square'
) -> np.ndarray:
    """Return (H, W) distances of pixels to the nearest boundary.

    Args:
        truth: (H, W) labels.
        ignore_index: The label of void pixels.
        kind: One of ``KINDS``.
        metric: One of ``METRICS``.
    """
    if kind not in KINDS or metric not in METRICS:
        raise ValueError(
            f'expected a kind of {KINDS} and a metric of {tuple(METRICS)}, got '
            f'{kind!r} and {metric!r}'
        )
    if kind == 'void':
        return distances_to(truth == ignore_index, metric)
    # The nearest pixel of another label is one behind the edge of the own region.
    return distances_to(edges(truth), metric) + 1


def edges(labels: np.ndarray, beyond: bool = False) -> np.ndarray:
    """Return (H, W) whether one of the 8 pixels around has another label.

    Args:
        labels: (H, W) labels.
        beyond: Whether what is beyond the image's border is another label.
    """
    found = np.zeros(labels.shape, dtype=np.bool_)
    _mark_edges(labels, beyond, found)
    return found


@numba.njit(cache=True)
def _mark_edges(labels, beyond, found):
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            if y == 0 or x == 0 or y == height - 1 or x == width - 1:
                found[y, x] |= beyond
            # Half of the neighbours: a pair that differs marks both.
            for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
                if y + dy < height and 0 <= x + dx < width:
                    if labels[y + dy, x + dx] != labels[y, x]:
                        found[y, x] = True
                        found[y + dy, x + dx] = True


def distances_to(pixels: np.ndarray, metric: str) -> np.ndarray:
    """Return (H, W) distances to the nearest of some pixels."""
    if not pixels.any():
        return np.full(pixels.shape, _NO_BOUNDARY)
    return cv2.distanceTransform((~pixels).astype(np.uint8), *METRICS[metric])


def widths_in_pixels(
    widths: Sequence[float], shape: tuple[int, int], of_diagonal: bool
) -> np.ndarray:
    """Return (J,) widths in pixels of an image.

    Args:
        widths: Rising widths, in pixels or in shares of the diagonal.
        shape: Height and width of the image.
        of_diagonal: Whether they are shares; then rounded, and 1 pixel at least.
    """
    found = np.asarray(widths, dtype=np.float64)
    rises = len(found) > 0 and np.isfinite(found).all() and (np.diff(found) > 0).all()
    limits = (0, 1) if of_diagonal else (1, np.inf)
    if not rises or found[0] < limits[0] or found[0] == 0 or found[-1] >= limits[1]:
        kind = 'shares of the diagonal under 1' if of_diagonal else 'pixels, 1 or more'
        raise ValueError(
            f'widths: expected rising numbers ({kind}), got {list(widths)}'
        )
    if of_diagonal:
        found = np.maximum(np.round(found * np.hypot(*shape)), 1)
    return found


def band_confusion(
    truth: np.ndarray,
    predicted: np.ndarray,
    distances: np.ndarray,
    widths_px: np.ndarray,
    num_classes: int,
    ignore_index: int,
) -> np.ndarray:
    """Return (J + 1, K, K) pixels by band, true class and predicted class.

    Args:
        truth: (H, W) labels.
        predicted: (H, W) labels.
        distances: (H, W) as ``boundary_distances`` says.
        widths_px: (J,) rising widths.
        num_classes: K.
        ignore_index: The label of void pixels.
    """
    check_labels(truth, predicted, num_classes, ignore_index)
    counts = np.zeros((len(widths_px) + 1, num_classes, num_classes), dtype=np.int64)
    # Distances are roots of whole numbers: single precision does not confuse them.
    limits = np.asarray(widths_px, dtype=np.float32)
    _count(truth, predicted, distances, limits, ignore_index, counts)
    return counts


@numba.njit(cache=True)
def _count(truth, predicted, distances, limits, ignore_index, counts):
    last = len(limits)
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            label = truth[y, x]
            if label == ignore_index:
                continue
            distance = distances[y, x]
            band = last
            if distance <= limits[last - 1]:
                band = 0
                while distance > limits[band]:
                    band += 1
            counts[band, label, predicted[y, x]] += 1


def check_labels(
    truth: np.ndarray, predicted: np.ndarray, num_classes: int, ignore_index: int
) -> None:
    """Refuse label maps that cannot be compared."""
    for name, labels in (('truth', truth), ('prediction', predicted)):
        if labels.ndim != 2 or labels.dtype.kind not in 'iu':
            raise ValueError(
                f'{name}: expected a map of whole numbers, got {labels.dtype} of shape '
                f'{labels.shape}; was a palette image read as colours?'
            )
    if truth.shape != predicted.shape:
        raise ValueError(
            f'expected a prediction of the size of the truth, {truth.shape}, got '
            f'{predicted.shape}'
        )
    is_wrong = ((truth < 0) | (truth >= num_classes)) & (truth != ignore_index)
    if is_wrong.any():
        raise ValueError(
            f'truth: expected labels 0 to {num_classes - 1} and {ignore_index} for '
            f'void, got {int(truth[is_wrong][0])}'
        )
    is_wrong = (predicted < 0) | (predicted >= num_classes)
    if is_wrong.any():
        raise ValueError(
            f'prediction: expected labels 0 to {num_classes - 1}, got '
            f'{int(predicted[is_wrong][0])}'
        )


def inside_and_outside(bands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (J, ...) counts within each width (trimap), and outside (anti-trimap).

    Args:
        bands: (J + 1, ...) counts by band.
    """
    inside = np.cumsum(bands, axis=0)[:-1]
    return inside, bands.sum(0) - inside
