"""Accuracy of a classifier: of all images, and as the mean of the classes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Accuracy:
    """Of N images of K classes.

    Args:
        top1: Share of the images that are right.
        mean_per_class: Mean over the classes that have images.
        num_classes: How many those are.
        is_right: (N,) which images are right, from which intervals are made.
    """

    top1: float
    mean_per_class: float
    num_classes: int
    is_right: np.ndarray


def accuracy(scores: np.ndarray, labels: np.ndarray) -> Accuracy:
    """Return how good scores are; of equal ones the first class is meant.

    Args:
        scores: (N, K)
        labels: (N,) classes from 0.
    """
    labels = np.asarray(labels)
    if scores.ndim != 2 or len(scores) != len(labels) or len(labels) == 0:
        raise ValueError(
            f'scores: expected a row for each of {len(labels)} images, one at least, '
            f'got {scores.shape}'
        )
    is_bad = ~np.isfinite(scores).all(1)
    if is_bad.any():
        raise ValueError(
            f'scores: expected finite numbers, row {int(is_bad.argmax())} has others'
        )
    is_right = scores.argmax(1) == labels
    counts = np.bincount(labels)
    right = np.bincount(labels, weights=is_right)
    by_class = right[counts > 0] / counts[counts > 0]
    return Accuracy(
        float(is_right.mean()), float(by_class.mean()), len(by_class), is_right
    )
