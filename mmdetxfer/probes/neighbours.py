"""Nearest neighbours: what the images close by are, without any training.

Neighbours by the cosine vote for their class with exp(cosine / temperature), as is
usual for self-supervised features (Wu et al. 2018). Features are taken as they are; one
that is 0 throughout has a cosine of 0 with all.
"""

import numpy as np
import torch
from torch import Tensor

from .eigenbasis import as_tensor

_BLOCK = 1 << 23  # cosines that are there at a time


def neighbour_scores(
    features: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    queries: np.ndarray | Tensor | None,
    num_classes: int,
    num_neighbours: int = 20,
    temperature: float = 0.07,
    device: str | torch.device = 'cpu',
) -> np.ndarray:
    """Return (M, K) votes for the classes of the queries.

    Args:
        features: (N, D) of known images.
        labels: (N,) their classes from 0.
        queries: (M, D) of others; None to ask about each known one, its own vote left
            out.
        num_classes: K.
        num_neighbours: That vote; all where there are fewer.
        temperature: The smaller, the more the closest count.
        device: Where it is computed.
    """
    if num_neighbours < 1 or not temperature > 0:
        raise ValueError(
            'expected 1 neighbour or more and a temperature above 0, got '
            f'{num_neighbours} and {temperature}'
        )
    known = _directions(features, 'features', device)
    asked = known if queries is None else _directions(queries, 'queries', device)
    classes = torch.as_tensor(labels, dtype=torch.int64, device=device)
    if len(classes) != len(known) or known.shape[1] != asked.shape[1]:
        raise ValueError(
            f'expected a class for each image and queries of as many features, got '
            f'{tuple(known.shape)}, {len(classes)} classes and {tuple(asked.shape)}'
        )
    if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < num_classes:
        raise ValueError(
            f'labels: expected 0 to {num_classes - 1}, got {int(classes.min())} to '
            f'{int(classes.max())}'
        )
    count = min(num_neighbours, len(known) - (queries is None))
    if count < 1:
        raise ValueError(f'expected neighbours to vote, got {len(known)} known images')
    parts: list[Tensor] = []
    for start in range(0, len(asked), step := max(1, _BLOCK // len(known))):
        block = asked[start : start + step]
        cosines = block @ known.T
        if queries is None:
            cosines.diagonal(start).fill_(-torch.inf)
        cosines, rows = cosines.topk(count, dim=1)
        votes = torch.zeros(len(block), num_classes, device=device)
        weights = ((cosines - cosines[:, :1]) / temperature).exp()
        parts.append(votes.scatter_add_(1, classes[rows], weights))
    return torch.cat(parts).cpu().numpy()


def _directions(
    features: np.ndarray | Tensor, name: str, device: str | torch.device
) -> Tensor:
    own = as_tensor(features).to(device, torch.float32)
    lengths = own.norm(dim=1, keepdim=True)
    is_bad = ~torch.isfinite(lengths[:, 0])
    if is_bad.any():
        raise ValueError(
            f'{name}: expected finite numbers, row {int(is_bad.int().argmax())} has '
            'others'
        )
    return own / torch.where(lengths > 0, lengths, 1)
