"""How well features will serve a target, told before any training.

LogME (You et al. 2021) is the evidence of a Bayesian linear regression on each class,
at the precisions of prior and noise that make it greatest, for each image; the mean
over classes. H-score (Bao et al. 2019) is how much of the features' variance, along
all directions alike, lies between the classes. The third, nearest neighbours, is
``neighbour_scores`` without queries. Greater is better for all; they order candidates
on one target, and mean nothing across targets.
"""

import numpy as np
import torch
from torch import Tensor

from .eigenbasis import WIDE_BLOCK, Eigenbasis, as_tensor, blocks, refuse_infinite

_MAX_STEPS = 1000
_SMALLEST_CHANGE = 1e-8
_NO_SPREAD = 1e-12
# Of a target's squares: features that told it without error would have all evidence.
_LEAST_ERROR = 1e-9
# Of the noise's precision times the greatest squared singular value.
_MOST_PRIOR = 1e9


def h_score(basis: Eigenbasis, labels: np.ndarray | Tensor, num_classes: int) -> float:
    """Return the H-score, at most the number of classes less 1.

    With as many directions as images less one every set of labels has the greatest
    value: it says nothing there.

    Args:
        basis: Of the features.
        labels: (N,) their classes from 0.
        num_classes: K.
    """
    labels = _checked(labels, len(basis.turned), num_classes)
    sums = torch.zeros(num_classes, len(basis.spreads), dtype=torch.float64)
    sums.index_add_(0, labels, basis.turned.cpu().double())
    counts = torch.bincount(labels, minlength=num_classes).clamp(min=1)
    return float((sums**2 / counts[:, None] / basis.spreads.cpu()).sum())


def log_evidence(
    features: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    num_classes: int,
    device: str | torch.device = 'cpu',
) -> float:
    """Return LogME. Features count as they are, uncentred and unscaled.

    Args:
        features: (N, D)
        labels: (N,) their classes from 0; classes without images do not count.
        num_classes: K.
        device: Where it is computed; the features stay where they are.
    """
    own = as_tensor(features)
    labels = _checked(labels, len(own), num_classes)
    refuse_infinite(own, torch.arange(len(own)))
    present = labels.unique()
    targets = (labels[:, None] == present).double().to(device)
    size = min(own.shape)
    products = torch.zeros(size, size).to(targets)
    if own.shape[1] <= len(own):
        sums = torch.zeros(size, len(present)).to(targets)
        for rows in blocks(len(own), size):
            part = own[rows].to(targets)
            products.addmm_(part.T, part)
            sums.addmm_(part.T, targets[rows])
        squares, directions = torch.linalg.eigh(products)
        is_kept = squares > _NO_SPREAD * squares[-1]
        squares, directions = squares[is_kept], directions[:, is_kept]
        along = (directions.T @ sums) / squares.sqrt()[:, None]
    else:
        for columns in blocks(own.shape[1], size, WIDE_BLOCK):
            part = own[:, columns].to(targets)
            products.addmm_(part, part.T)
        squares, images = torch.linalg.eigh(products)
        is_kept = squares > _NO_SPREAD * squares[-1]
        squares, along = squares[is_kept], images[:, is_kept].T @ targets
    if len(squares) == 0:
        raise ValueError('features: expected some that are not 0, all are')
    energy = along**2
    outside = (targets.sum(0) - energy.sum(0)).clamp(min=0)
    evidence = _evidence(squares[:, None], energy, outside, *own.shape)
    return float(evidence.mean())


def _evidence(
    squares: Tensor, energy: Tensor, outside: Tensor, num_images: int, num_features: int
) -> Tensor:
    """Return (C,) greatest evidence an image.

    The precisions of prior and noise are found as MacKay's fixed point.

    Args:
        squares: (R, 1) squared singular values of the features.
        energy: (R, C) squares of the targets along them.
        outside: (C,) squares of the targets along none.
        num_images: N.
        num_features: D.
    """
    prior, noise = torch.ones_like(outside), torch.ones_like(outside)
    outside = outside + _LEAST_ERROR * (energy.sum(0) + outside)
    for _ in range(_MAX_STEPS):
        total = prior + noise * squares
        used = (noise * squares / total).sum(0)
        weights = (noise**2 * squares * energy / total**2).sum(0)
        errors = (energy * (prior / total) ** 2).sum(0) + outside
        before = prior / noise
        prior, noise = used / weights, (num_images - used) / errors
        # Features that say nothing of a class would have weights of no size at all.
        prior = torch.minimum(prior, _MOST_PRIOR * noise * squares.max())
        if ((prior / noise / before - 1).abs() < _SMALLEST_CHANGE).all():
            break
    total = prior + noise * squares
    weights = (noise**2 * squares * energy / total**2).sum(0)
    errors = (energy * (prior / total) ** 2).sum(0) + outside
    unused = num_features - len(squares)
    found = num_features * prior.log() + num_images * (noise / (2 * np.pi)).log()
    found -= noise * errors + prior * weights
    found -= total.log().sum(0) + unused * prior.log()
    return found / (2 * num_images)


def _checked(labels: np.ndarray | Tensor, num_images: int, num_classes: int) -> Tensor:
    found = torch.as_tensor(labels, dtype=torch.int64).cpu()
    if found.shape != (num_images,) or num_images == 0:
        raise ValueError(
            f'labels: expected one for each of {num_images} images, got '
            f'{tuple(found.shape)}'
        )
    if found.min() < 0 or found.max() >= num_classes:
        raise ValueError(
            f'labels: expected 0 to {num_classes - 1}, got {int(found.min())} to '
            f'{int(found.max())}'
        )
    return found
