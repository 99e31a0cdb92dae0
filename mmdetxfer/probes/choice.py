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

from .eigenbasis import Eigenbasis, eigenbasis
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
        held_out: Rows that choose, or (N,) which ones do.
        num_classes: K.
        strengths: What is tried.
        is_standardised: As in ``eigenbasis``.
        device: Where it is computed.
    """
    labels = np.asarray(labels)
    learnt, held_out = _parts(labels, held_out)
    basis = eigenbasis(features, learnt, is_standardised, device)
    turned = basis.turn(features, held_out)
    scores: dict[float, float] = {}
    failed: list[float] = []
    falls, before, fit, best = 0, -1.0, None, None
    for strength in sorted(strengths, reverse=True):
        fit = fit_logistic(basis, labels[learnt], num_classes, strength, fit)
        if not fit.is_converged:
            failed.append(strength)
        scores[strength] = _score(fit, turned, labels[held_out])
        if best is None or scores[strength] > scores[best.strength]:
            best = fit
        falls = falls + 1 if scores[strength] < before else 0
        before = scores[strength]
        if falls == FALLS:
            break
    _refuse_failed(best)
    probe = probe_of(basis, best)
    del basis, turned, fit, best
    whole = eigenbasis(features, None, is_standardised, device)
    start = _carried(whole, probe)
    found = fit_logistic(whole, labels, num_classes, probe.strength, start)
    _refuse_failed(found)
    return Choice(probe_of(whole, found), scores, tuple(failed))


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
    labels = np.asarray(labels)
    learnt, held_out = _parts(labels, held_out)
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


def _carried(basis: Eigenbasis, probe: LinearProbe) -> Fit:
    """Return a probe of some of the images as a place to begin with all of them."""
    scores = torch.as_tensor(probe.scores(basis.features, basis.rows))
    scores = scores.to(basis.turned.device)
    intercept = scores.mean(0)
    along = basis.turned.T @ (scores - intercept).to(basis.turned)
    along = along / basis.spreads.to(along)[:, None]
    return Fit(probe.strength, along, intercept, float('inf'), float('inf'), 0)


def _refuse_failed(fit: Fit) -> None:
    if not fit.is_converged:
        raise NotConvergedError(
            f'strength {fit.strength:g} was chosen and did not converge; the classes '
            'may be separable: try stronger ones alone'
        )


def _parts(labels: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are learnt from, and those that are held out."""
    held_out = np.asarray(held_out)
    if held_out.dtype == bool:
        held_out = np.flatnonzero(held_out)
    is_learnt = np.ones(len(labels), dtype=bool)
    is_learnt[held_out] = False
    if is_learnt.all() or not is_learnt.any():
        raise ValueError(
            f'held-out part: expected some of {len(labels)} images, got {len(held_out)}'
        )
    missing = np.setdiff1d(labels[held_out], labels[is_learnt])
    if len(missing):
        raise ValueError(
            f'held-out part: expected classes that are learnt too, class {missing[0]} '
            'is held out as a whole'
        )
    return np.flatnonzero(is_learnt), held_out


def _score(fit: Fit, turned: Tensor, labels: np.ndarray) -> float:
    logits = turned @ fit.along.to(turned) + fit.intercept.to(turned)
    return float((logits.argmax(1).cpu().numpy() == labels).mean())
