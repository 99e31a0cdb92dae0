"""Scores of segmentation out of counts: what each class has, was given, and shares.

Counts are kept by class as three numbers of pixels: true ones, predicted ones, and
those that are both; all scores here are made of them. A class that the truth does not
have has no score (nan), even if it is predicted somewhere, and how many have one is
told beside each mean.
"""

from dataclasses import dataclass

import numpy as np

TRUE, PREDICTED, BOTH = range(3)


@dataclass(frozen=True)
class SegmentationScores:
    """Scores of K classes, for any leading axes.

    Args:
        iou: (..., K) intersection over union; nan for classes without true pixels.
        class_accuracy: (..., K) share of a class's pixels that are right; nan likewise.
        mean_iou: (...,) mean of the classes that have one; nan without any.
        mean_accuracy: (...,) likewise.
        pixel_accuracy: (...,) share of all pixels that are right; nan without any.
        num_classes: (...,) how many classes have a score.
    """

    iou: np.ndarray
    class_accuracy: np.ndarray
    mean_iou: np.ndarray
    mean_accuracy: np.ndarray
    pixel_accuracy: np.ndarray
    num_classes: np.ndarray


def class_counts(confusion: np.ndarray) -> np.ndarray:
    """Return (..., 3, K) pixels that are true, predicted and both.

    Args:
        confusion: (..., K, K) pixels by true class (rows) and predicted class.
    """
    both = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.stack([confusion.sum(-1), confusion.sum(-2), both], axis=-2)


def segmentation_scores(counts: np.ndarray) -> SegmentationScores:
    """Return the scores of (..., 3, K) counts."""
    counts = np.asarray(counts, dtype=np.float64)
    true, predicted, both = (counts[..., k, :] for k in range(3))
    exists = true > 0
    nan = np.full(true.shape, np.nan)
    iou = np.divide(both, true + predicted - both, out=nan.copy(), where=exists)
    accuracy = np.divide(both, true, out=nan.copy(), where=exists)
    num_classes = exists.sum(-1)
    return SegmentationScores(
        iou=iou,
        class_accuracy=accuracy,
        mean_iou=_mean(iou, exists, num_classes),
        mean_accuracy=_mean(accuracy, exists, num_classes),
        pixel_accuracy=_share(both.sum(-1), true.sum(-1)),
        num_classes=num_classes,
    )


def _mean(values: np.ndarray, exists: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return _share(np.where(exists, values, 0).sum(-1), counts)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    nan = np.full(np.shape(whole), np.nan)
    return np.divide(part, whole, out=nan, where=np.asarray(whole) > 0)
