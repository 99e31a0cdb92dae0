"""A probe of one layer from beginning to end, as every table of this package has it.

The strength is chosen on a held-out part of the training images, the same for all
candidates and layers; the probe is fitted to all of them and scored once on the test's.
"""

from dataclasses import dataclass

import numpy as np

from .accuracy import Accuracy, accuracy
from .choice import Choice, NotConvergedError, choose_logistic
from .eigenbasis import eigenbasis
from .linear import STRENGTHS, fit_logistic, probe_of
from .splits import few_rows, held_out_rows

# With more features than this another grid is tried.
MANY_FEATURES = 10_000
MOST_OF_MANY = 9
# With fewer images a class there is nothing to choose on, and this strength is taken.
LEAST_TO_CHOOSE = 5
FEW_STRENGTH = 1.0


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are fitted.

    Args:
        strengths: Of the penalty, that are tried.
        held_out: Share of each class's training images that choose.
        seed: Of the draw of those.
        is_standardised: Whether features are divided by their deviation.
        device: Where it is computed.
        strengths_of_many: What is tried with more than 10,000 features; None takes of
            ``strengths`` every so manyth, so that nine or fewer are left.
    """

    strengths: tuple[float, ...] = STRENGTHS
    held_out: float = 0.2
    seed: int = 0
    is_standardised: bool = True
    device: str = 'cpu'
    strengths_of_many: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what chooses nothing."""
        grids = {'strengths': self.strengths}
        if self.strengths_of_many is not None:
            grids['strengths_of_many'] = self.strengths_of_many
        for name, grid in grids.items():
            if not grid or min(grid) <= 0:
                raise ValueError(f'{name}: expected one or more above 0, got {grid}')
        if not 0 < self.held_out < 1:
            raise ValueError(
                f'held_out: expected a share of 1 above 0, got {self.held_out}'
            )

    def grid(self, num_features: int) -> tuple[float, ...]:
        """Return the strengths that are tried with so many features."""
        if num_features <= MANY_FEATURES:
            return self.strengths
        if self.strengths_of_many is not None:
            return self.strengths_of_many
        step = -(-len(self.strengths) // MOST_OF_MANY)
        return tuple(sorted(self.strengths, reverse=True)[::step])


def check_classes(train: np.ndarray, test: np.ndarray, classes: tuple) -> None:
    """Refuse classes without images to learn from, or that only the test has.

    Args:
        train: (N,) classes of the images to learn from, from 0.
        test: (M,) of the others.
        classes: K names.
    """
    gaps = np.setdiff1d(np.arange(len(classes)), train)
    if len(gaps):
        raise ValueError(
            f'labels: expected images of each of {len(classes)} classes to learn from, '
            f'class {classes[gaps[0]]!r} has none ({len(gaps)} without)'
        )
    unknown = np.setdiff1d(test, np.arange(len(classes)))
    if len(unknown):
        raise ValueError(
            f'labels: expected 0 to {len(classes) - 1} in the test, got {unknown[0]}'
        )


def present_classes(
    classes: tuple, train: np.ndarray, test: np.ndarray
) -> tuple[tuple, list[np.ndarray]]:
    """Return the classes that have images to learn from, and both parts' labels.

    Args:
        classes: K names.
        train: (N,) classes of the images to learn from, from 0.
        test: (M,) of the others.
    """
    present, labels = np.unique(train, return_inverse=True)
    unknown = np.setdiff1d(test, present)
    if len(unknown):
        first = int(unknown[0])
        name = classes[first] if first < len(classes) else first
        raise ValueError(
            'labels: expected classes of the test among those to learn from, '
            f'{name!r} is not'
        )
    own = tuple(classes[label] for label in present)
    return own, [labels, np.searchsorted(present, test)]


def scored_probe(
    features: np.ndarray,
    labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    classes: tuple,
    settings: ProbeSettings = ProbeSettings(),
) -> tuple[Choice, Accuracy]:
    """Return the probe of a layer, and how good it is on the test.

    Args:
        features: (N, D) of the images to learn from.
        labels: (N,) their classes from 0.
        test_features: (M, D)
        test_labels: (M,)
        classes: K names.
        settings: How it is fitted.
    """
    check_classes(labels, test_labels, classes)
    held_out = held_out_rows(labels, settings.held_out, settings.seed, classes)
    choice = choose_logistic(
        features,
        labels,
        held_out,
        len(classes),
        settings.grid(features.shape[1]),
        settings.is_standardised,
        settings.device,
    )
    return choice, accuracy(choice.probe.scores(test_features), test_labels)


def few_shot_probe(
    features: np.ndarray,
    labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    classes: tuple,
    shots: int,
    draw: int,
    settings: ProbeSettings = ProbeSettings(),
) -> Accuracy:
    """Return how good a probe is that learns from a few images of each class.

    With one image a class its scores depend little on the strength, and nothing is
    left to choose it on: under 5 images it is 1. A fit that does not converge is an
    error, as in ``scored_probe``.

    Args:
        features: (N, D) of the images to draw from.
        labels: (N,) their classes from 0.
        test_features: (M, D)
        test_labels: (M,)
        classes: K names.
        shots: Images a class.
        draw: Seed of the draw.
        settings: How it is fitted.
    """
    check_classes(labels, test_labels, classes)
    rows = few_rows(labels, shots, draw, classes)
    if shots >= LEAST_TO_CHOOSE:
        few = (features[rows], labels[rows], test_features, test_labels)
        return scored_probe(*few, classes, settings)[1]
    basis = eigenbasis(features, rows, settings.is_standardised, settings.device)
    fit = fit_logistic(basis, labels[rows], len(classes), FEW_STRENGTH)
    if not fit.is_converged:
        raise NotConvergedError(
            f'probe of {shots} images a class: strength {FEW_STRENGTH:g} did not '
            'converge'
        )
    return accuracy(probe_of(basis, fit).scores(test_features), test_labels)
