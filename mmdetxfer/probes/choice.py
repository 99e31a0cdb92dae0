"""The strength of a probe: chosen on a held-out part, then fitted to all.

Strengths are gone through from strong to weak; weaker ones are left out when the
held-out score has fallen five times in a row. Of equal scores the stronger wins. The
probe is then fitted to all training images with the strength unchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .eigenbasis import eigenbasis
from .linear import FALLS, STRENGTHS, Fit, LinearProbe, fit_logistic, probe_of
from .ridge import fit_ridge


class NotConvergedError(ValueError):
    """The chosen strength has no solution that could be reached."""


@dataclass(frozen=True)
class Choice:
    """What the held-out part chose.

    Args:
        probe: Fitted to all.
        scores: Held-out accuracy of each strength that was tried.
        not_converged: Those of them whose fit did not converge.
    """

    probe: LinearProbe
    scores: dict[float, float]
    not_converged: tuple[float, ...]


def choose_logistic(
    features: np.ndarray | Tensor,
    labels: np.ndarray,
    held_out: np.ndarray,
    num_classes: int,
    strengths: Sequence[float] = STRENGTHS,
    is_standardised: bool = True,
    device: str | torch.device = 'cpu',
) -> Choice:
    """Choose a strength of logistic regression, and fit it to all.

    Args:
        features: (N, D) of the training images.
        labels: (N,) their classes from 0.
        held_out: Rows that choose.
        num_classes: K.
        strengths: What is tried.
        is_standardised: As in ``eigenbasis``.
        device: Where it is computed.
    """
    learnt, labels = _learnt_rows(labels, held_out), np.asarray(labels)
    basis = eigenbasis(features, learnt, is_standardised, device)
    turned = basis.turn(features, held_out)
    fits: list[Fit] = []
    scores: dict[float, float] = {}
    falls, before, start = 0, -1.0, None
    for strength in sorted(strengths, reverse=True):
        start = fit_logistic(basis, labels[learnt], num_classes, strength, start)
        fits.append(start)
        scores[strength] = _score(start, turned, labels[held_out])
        falls = falls + 1 if scores[strength] < before else 0
        before = scores[strength]
        if falls == FALLS:
            break
    best = max(scores, key=scores.__getitem__)
    failed = tuple(fit.strength for fit in fits if not fit.is_converged)
    del basis, turned, fits, start
    whole = eigenbasis(features, None, is_standardised, device)
    found = fit_logistic(whole, labels, num_classes, best)
    if best in failed or not found.is_converged:
        raise NotConvergedError(
            f'strength {best:g} was chosen and did not converge; the classes may be '
            'separable: try stronger ones alone'
        )
    return Choice(probe_of(whole, found), scores, failed)


def choose_ridge(
    features: np.ndarray | Tensor,
    labels: np.ndarray,
    held_out: np.ndarray,
    num_classes: int,
    strengths: Sequence[float] = STRENGTHS,
    is_standardised: bool = True,
    device: str | torch.device = 'cpu',
) -> Choice:
    """Choose a strength of ridge regression, and fit it to all; as above."""
    learnt, labels = _learnt_rows(labels, held_out), np.asarray(labels)
    order = sorted(strengths, reverse=True)
    basis = eigenbasis(features, learnt, is_standardised, device)
    turned = basis.turn(features, held_out)
    scores = {
        fit.strength: _score(fit, turned, labels[held_out])
        for fit in fit_ridge(basis, labels[learnt], num_classes, order)
    }
    best = max(scores, key=scores.__getitem__)
    del basis, turned
    whole = eigenbasis(features, None, is_standardised, device)
    (found,) = fit_ridge(whole, labels, num_classes, (best,))
    return Choice(probe_of(whole, found), scores, ())


def _learnt_rows(labels: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Return the rows that are not held out."""
    is_learnt = np.ones(len(labels), dtype=bool)
    is_learnt[held_out] = False
    if is_learnt.all() or not is_learnt.any():
        raise ValueError(
            f'held-out part: expected some of {len(labels)} images, got {len(held_out)}'
        )
    missing = np.setdiff1d(np.asarray(labels)[held_out], np.asarray(labels)[is_learnt])
    if len(missing):
        raise ValueError(
            f'held-out part: expected classes that are learnt too, class {missing[0]} '
            'is held out as a whole'
        )
    return np.flatnonzero(is_learnt)


def _score(fit: Fit, turned: Tensor, labels: np.ndarray) -> float:
    logits = turned @ fit.along.to(turned) + fit.intercept.to(turned)
    return float((logits.argmax(1).cpu().numpy() == labels).mean())
