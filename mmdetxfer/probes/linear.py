"""Multinomial logistic regression on features, for whole paths of strengths.

The objective is the sum of the losses plus strength / 2 times the squared weights of
the scaled features; the intercept is free. Full-batch L-BFGS runs in the eigenbasis of
the features, each direction divided by the root of its curvature where the fit begins,
so that directions of any spread converge together; strengths are gone through from
strong to weak, each begun where the one before ended.

The objective is at least as curved in the weights as its penalty. So its gradient, at
the best intercept, bounds what is left to gain and how far off the weights are; a fit
counts as converged when that is a thousandth of their length. What single precision
cannot reach is finished in double, by Newton steps where the unknowns are few
(``newton.py``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .eigenbasis import Eigenbasis, as_tensor
from .newton import is_small, newton_step

# 45 values, as Kornblith et al. 2019 try; from strong to weak.
STRENGTHS = tuple(np.logspace(5, -6, 45).tolist())
# Weaker strengths are left out when the held-out score has fallen so often in a row.
FALLS = 5
_OF_PENALTY, _OF_ROUNDING = 1e-6, 1e-12
_HISTORY = 20
# Of the objective: a fall that rounding makes hard to see, in either precision.
_UNSEEN = {torch.float32: 1e-6, torch.float64: 1e-13}
_MOST_BLIND_STEPS = 5  # in a row without a smaller slope
_LEAST_CURVATURE = 1e-8
# With few unknowns what is not reached by then is left to Newton steps.
_STEPS_BEFORE_NEWTON, _MOST_NEWTON_STEPS, _MOST_HALVINGS = 20, 50, 30
_BLOCK = 1 << 23  # logits that are there at a time


@dataclass(frozen=True)
class Fit:
    """Where a strength ended, in an eigenbasis: R directions, K classes.

    Args:
        strength: Of the penalty.
        along: (R, K) weights of the directions.
        intercept: (K,)
        objective: Sum of the losses and the penalty.
        left_to_gain: What the objective can still fall by, at most.
        steps: Steps of the optimiser, in both precisions.
    """

    strength: float
    along: Tensor
    intercept: Tensor
    objective: float
    left_to_gain: float
    steps: int

    @property
    def is_converged(self) -> bool:
        """Whether the weights are right to a thousandth of their length.

        That is where what is left to gain is a millionth of the penalty. Weights of 0,
        or nearly so, would never be right: what rounding of the objective hides is let
        pass. Single precision judges by a slope that it rounds.
        """
        penalty = self.strength / 2 * float((self.along.double() ** 2).sum())
        asked = max(_OF_PENALTY * penalty, _OF_ROUNDING * self.objective)
        return self.left_to_gain <= asked


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier of features as they are.

    Args:
        weights: (D, K)
        intercept: (K,)
        strength: What it was fitted with.
    """

    weights: Tensor
    intercept: Tensor
    strength: float

    def scores(self, features: np.ndarray | Tensor, rows: object = None) -> np.ndarray:
        """Return (N, K) logits of images, read in blocks.

        Args:
            features: (M, D)
            rows: (N,) numbers of images; all by default.
        """
        own = as_tensor(features)
        picked = torch.arange(len(own)) if rows is None else torch.as_tensor(rows)
        step = max(1, _BLOCK // len(self.weights))
        parts = [
            own[block].to(self.weights) @ self.weights + self.intercept
            for block in picked.split(step)
        ]
        return torch.cat(parts).cpu().numpy()


def probe_of(basis: Eigenbasis, fit: Fit) -> LinearProbe:
    """Return what a fit says of features as they are."""
    weights = basis.weights(fit.along) / basis.scale[:, None]
    intercept = fit.intercept.to(weights) - basis.mean @ weights
    return LinearProbe(weights, intercept, fit.strength)


def fit_logistic(
    basis: Eigenbasis,
    labels: np.ndarray | Tensor,
    num_classes: int,
    strength: float,
    start: Fit | None = None,
    has_intercept: bool = True,
    max_steps: int = 1000,
) -> Fit:
    """Fit one strength.

    Args:
        basis: Of the training features.
        labels: (N,) their classes from 0.
        num_classes: K.
        strength: Above 0.
        start: Where another strength ended, to begin there.
        has_intercept: Whether there is one.
        max_steps: Of either optimiser, in either precision.
    """
    labels = torch.as_tensor(labels, dtype=torch.int64, device=basis.turned.device)
    check_labels(labels, len(basis.turned), num_classes, strength)
    settings = (basis, labels, num_classes, strength, has_intercept)
    is_few = is_small(*basis.turned.shape, num_classes)
    steps = min(max_steps, _STEPS_BEFORE_NEWTON) if is_few else max_steps
    found = _descended(_Problem(*settings, torch.float32, start), steps)
    if found.is_converged:
        return found
    problem = _Problem(*settings, torch.float64, found)
    if is_few:
        exact = _newton(problem, min(max_steps, _MOST_NEWTON_STEPS))
    else:
        exact = _descended(problem, max_steps)
    return replace(exact, steps=found.steps + exact.steps)


def _descended(problem: '_Problem', max_steps: int) -> Fit:
    """Go down until nothing is left to gain, or to be told from rounding."""
    optimiser = torch.optim.LBFGS(
        [problem.unknown],
        max_iter=1,
        max_eval=10,
        history_size=_HISTORY,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn='strong_wolfe',
    )
    (settings,) = optimiser.param_groups
    objective = float(problem.evaluate())
    best, blind_steps, steps = problem.fit(objective, 0), 0, 0
    # The optimiser takes changes under 1e-10 for none, and would begin with a step far
    # too short: of scaled unknowns the gradient itself has about the right length.
    problem.factor = len(problem.labels) / objective
    problem.evaluate()
    length = float(problem.unknown.grad.abs().sum())
    settings['lr'] = max(1.0, length) / problem.factor
    while steps < max_steps and blind_steps < _MOST_BLIND_STEPS:
        before, steps = objective, steps + 1
        optimiser.step(problem.evaluate)
        settings['lr'] = 1.0
        objective = float(problem.evaluate()) / problem.factor
        found = problem.fit(objective, steps)
        is_blind = settings['line_search_fn'] is None
        blind_steps += is_blind
        # Where the objective is seen to fall the bound may rise before it falls.
        if not is_blind or found.left_to_gain < best.left_to_gain:
            best, blind_steps = found, 0
        if best.is_converged:
            break
        # Where the fall drowns in rounding a search finds nothing, and takes long over
        # it; the slope is seen for longer, and steps have their length without one.
        if not before - objective > _UNSEEN[problem.unknown.dtype] * objective:
            settings['line_search_fn'] = None
    return replace(best, steps=steps)


def _newton(problem: '_Problem', max_steps: int) -> Fit:
    """Go down by Newton steps, each halved until the objective falls enough."""
    turned = problem.turned.to(problem.unknown)
    last = torch.full((len(turned), 1), float(problem.has_intercept)).to(turned)
    features, factors = torch.cat([turned, last], 1), problem.factors
    objective = float(problem.evaluate())
    for steps in range(1, max_steps + 1):
        place, gradient = problem.unknown.detach().clone(), problem.unknown.grad
        shares = (features @ (place * factors)).softmax(1)
        step = newton_step(features, shares, gradient / factors, problem.strength)
        if step is None:
            break
        step, before = step / factors, objective
        slope = float((step * gradient).sum())
        for halvings in range(_MOST_HALVINGS):
            length = 0.5**halvings
            problem.unknown.detach().copy_(place + length * step)
            objective = float(problem.evaluate())
            if objective <= before + 1e-4 * length * slope:
                break
        else:
            # Nothing falls any more that double precision could see.
            problem.unknown.detach().copy_(place)
            objective = float(problem.evaluate())
            break
        if problem.fit(objective, steps).is_converged:
            break
    return problem.fit(objective, steps)


class _Problem:
    """The objective and its gradient over scaled unknowns."""

    def __init__(
        self, basis, labels, num_classes, strength, has_intercept, kind, start=None
    ):
        self.turned, self.labels = basis.turned, labels
        self.strength, self.has_intercept = strength, has_intercept
        self.factor = 1.0
        self.spreads = basis.spreads.to(basis.turned.device)
        shape = (len(self.spreads) + 1, num_classes)
        self.unknown = torch.zeros(shape, dtype=kind, device=self.spreads.device)
        self.unknown.requires_grad_(True)
        self._looked_at: tuple[Tensor, Tensor, Tensor] | None = None
        if start is None:
            # Of softmax: the mean over classes of p (1 - p), where all are as likely.
            self._scale((num_classes - 1) / num_classes**2)
        else:
            self._begin_at(start)

    def _scale(self, curvature: float) -> None:
        """Divide by the root of the curvature, given the mean of p (1 - p)."""
        scales = (curvature * self.spreads + self.strength).rsqrt()
        self.penalty = (self.strength * scales**2)[:, None]
        last = scales.new_tensor([(curvature * len(self.labels)) ** -0.5])
        self.factors = torch.cat([scales, last])[:, None].to(self.unknown)

    def _begin_at(self, fit: Fit) -> None:
        """Begin where another strength ended, with the curvature that is there."""
        both = torch.cat([fit.along, fit.intercept[None] * self.has_intercept])
        both, total = both.to(self.unknown), 0.0
        for turned, _ in self._blocks():
            shares = torch.addmm(both[-1], turned, both[:-1]).softmax(1)
            total += float((shares * (1 - shares)).sum(dtype=torch.float64))
        # Where all images are sure of their classes there is next to none.
        self._scale(max(total / len(self.labels) / both.shape[1], _LEAST_CURVATURE))
        self.unknown.detach().copy_(both / self.factors)

    def solution(self) -> tuple[Tensor, Tensor]:
        both = self.unknown.detach() * self.factors
        return both[:-1], both[-1]

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        step = max(1, _BLOCK // max(self.unknown.shape))
        for turned, labels in zip(
            self.turned.split(step), self.labels.split(step), strict=True
        ):
            yield turned.to(self.unknown), labels

    def fit(self, objective: float, steps: int) -> Fit:
        left = self.left_to_gain()
        return Fit(self.strength, *self.solution(), objective, left, steps)

    def evaluate(self) -> Tensor:
        """Return the objective times the factor; leave its gradient likewise."""
        own = self.unknown.detach()
        # The optimiser begins, and often ends, where it has been last.
        if self._looked_at is None or not torch.equal(own, self._looked_at[0]):
            self._looked_at = (own.clone(), *self._evaluated(own))
        _, objective, gradient = self._looked_at
        self.unknown.grad = gradient * self.factor
        return objective * self.factor

    def _evaluated(self, own: Tensor) -> tuple[Tensor, Tensor]:
        weights, intercept = self.solution()
        gradient = torch.zeros_like(own)
        loss = torch.zeros((), dtype=torch.float64, device=own.device)
        for turned, labels in self._blocks():
            row = torch.arange(len(labels), device=own.device)
            logits = torch.addmm(intercept, turned, weights).log_softmax(1)
            loss -= logits[row, labels].sum(dtype=torch.float64)
            shares = logits.exp_()
            shares[row, labels] -= 1
            gradient[:-1].addmm_(turned.T, shares)
            gradient[-1] += shares.sum(0)
        gradient *= self.factors
        penalty = self.penalty * own[:-1]
        gradient[:-1] += penalty.to(own)
        gradient[-1] *= self.has_intercept
        return loss + 0.5 * (penalty * own[:-1]).sum(), gradient

    def left_to_gain(self) -> float:
        """Return a bound: the objective is at least as curved as its penalty.

        The intercept has none; of it the curvature where the fit began is taken.
        """
        squares = (self.unknown.grad.double() / self.factor) ** 2
        return float(0.5 * ((squares[:-1] / self.penalty).sum() + squares[-1].sum()))


def check_labels(
    labels: Tensor, num_rows: int, num_classes: int, strength: float
) -> None:
    """Refuse labels and strengths that no probe can be fitted to."""
    if labels.shape != (num_rows,):
        raise ValueError(
            f'labels: expected one for each of {num_rows} images, got '
            f'{tuple(labels.shape)}'
        )
    if num_classes < 2 or labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f'labels: expected 0 to {num_classes - 1} of 2 classes or more, got '
            f'{int(labels.min())} to {int(labels.max())}'
        )
    counts = torch.bincount(labels, minlength=num_classes)
    if (counts == 0).any():
        raise ValueError(
            f'labels: expected images of each of {num_classes} classes, class '
            f'{int(counts.argmin())} has none'
        )
    if not strength > 0:
        raise ValueError(f'strength: expected a number above 0, got {strength}')
