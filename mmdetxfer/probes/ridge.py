"""Ridge regression on the classes, in closed form for all strengths at once.

The objective is the sum of squared errors against one-hot classes plus strength times
the squared weights of the scaled features; the intercept is free. In the eigenbasis the
solution is a division.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .eigenbasis import Eigenbasis
from .linear import Fit, check_labels


def fit_ridge(
    basis: Eigenbasis,
    labels: np.ndarray | Tensor,
    num_classes: int,
    strengths: Sequence[float],
) -> list[Fit]:
    """Return what each strength gives; all are exact.

    Args:
        basis: Of the training features.
        labels: (N,) their classes from 0.
        num_classes: K.
        strengths: Above 0 each.
    """
    labels = torch.as_tensor(labels, dtype=torch.int64, device=basis.turned.device)
    for strength in strengths:
        check_labels(labels, len(basis.turned), num_classes, strength)
    spreads = basis.spreads.to(labels.device)[:, None]
    counts = torch.bincount(labels, minlength=num_classes)
    shares = counts.double() / len(labels)
    # The directions are centred: the intercept is the mean, and drops out of the sums.
    sums = torch.zeros(len(spreads), num_classes).to(spreads)
    for label in range(num_classes):
        sums[:, label] = basis.turned[labels == label].sum(0, dtype=torch.float64)
    # Sum of the squares of what is to be explained.
    squares = len(labels) * (1 - (shares**2).sum())
    found = []
    for strength in strengths:
        along = sums / (spreads + strength)
        objective = float(squares - (along * sums).sum())
        found.append(Fit(float(strength), along, shares, objective, 0.0, 0))
    return found
