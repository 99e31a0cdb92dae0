"""Logistic probes against scikit-learn's, and what is said when they cannot be."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from toy_features import overlapping, scaled

from mmdetxfer.probes import STRENGTHS, eigenbasis, fit_logistic, probe_of


def objective(scores, labels, weights, strength):
    """The sum of the losses and the penalty, as its definition says."""
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]
    return losses.sum() + strength / 2 * (weights**2).sum()


@pytest.fixture(params=['Newton', 'L-BFGS'])
def finish(request, monkeypatch):
    """What finishes a fit: the former where the unknowns are few."""
    if request.param == 'L-BFGS':
        monkeypatch.setattr('mmdetxfer.probes.linear.is_small', lambda *_: False)
    return request.param


@pytest.fixture
def places(monkeypatch):
    """Where the objective has been looked at, as it is being filled."""
    from mmdetxfer.probes import linear

    places, evaluated = [], linear._Problem._evaluated

    def looked(problem, own):
        places.append(own.clone())
        return evaluated(problem, own)

    monkeypatch.setattr(linear._Problem, '_evaluated', looked)
    return places


@pytest.mark.parametrize('has_intercept', [True, False])
@pytest.mark.parametrize('sizes', [(400, 20, 5), (60, 150, 4)])
def test_the_optimum_is_scikit_learns(sizes, has_intercept, finish):
    """On data that are not separable, and, with more features than images, that are.

    The objective is recomputed from the probe's own scores: by no part of the fit.
    """
    features, labels = overlapping(*sizes)
    other, _ = overlapping(50, sizes[1], sizes[2], seed=1)
    basis, fit = eigenbasis(features), None
    assert basis.is_of_images == (sizes[1] > sizes[0])
    for strength in (1000, 10, 0.1):
        fit = fit_logistic(basis, labels, sizes[2], strength, fit, has_intercept)
        probe = probe_of(basis, fit)
        settings = dict(tol=1e-10, max_iter=10_000, fit_intercept=has_intercept)
        theirs = LogisticRegression(C=1 / strength, **settings)
        theirs.fit(scaled(features), labels)
        best = objective(
            theirs.decision_function(scaled(features)), labels, theirs.coef_, strength
        )
        weights = (probe.weights * basis.scale[:, None]).numpy()
        own = objective(probe.scores(features), labels, weights, strength)
        assert fit.is_converged
        assert abs(own - best) < 1e-5 * best
        assert abs(fit.objective - best) < 1e-5 * best
        # What is left to gain is a bound, and the weights are right to a thousandth.
        assert own - best < fit.left_to_gain + 1e-8 * best
        off = np.linalg.norm(weights - theirs.coef_.T)
        assert off < 1.1e-3 * np.linalg.norm(weights)
        expected = theirs.predict(scaled(other, features))
        np.testing.assert_array_equal(probe.scores(other).argmax(1), expected)


def test_a_start_elsewhere_ends_at_the_same_place():
    features, labels = overlapping(300, 15, 3)
    basis = eigenbasis(features)
    far = fit_logistic(basis, labels, 3, 1e-3)
    near = fit_logistic(basis, labels, 3, 10, start=far)
    fresh = fit_logistic(basis, labels, 3, 10)
    assert near.objective == pytest.approx(fresh.objective, rel=1e-6)
    assert far.objective < near.objective


def test_what_single_precision_cannot_reach_is_finished_in_double(finish):
    """Separable classes: at a weak strength the objective is far below N log K."""
    features, labels = overlapping(60, 150, 4)
    fit = fit_logistic(eigenbasis(features), labels, 4, 1e-6)
    assert fit.is_converged and fit.along.dtype == torch.float64
    assert fit.objective < 1e-5 * 60 * np.log(4)
    strong = fit_logistic(eigenbasis(features), labels, 4, 1000)
    assert strong.along.dtype == torch.float32


def test_too_few_steps_are_told(finish):
    features, labels = overlapping(60, 150, 4)
    fit = fit_logistic(eigenbasis(features), labels, 4, 1e-6, max_steps=5)
    assert not fit.is_converged and 5 <= fit.steps <= 10


def test_the_weakest_strengths_of_separable_classes_converge():
    """Down to the end of the grid, by the gradient at the probe's own scores.

    An objective as curved as its penalty can fall by g^2 / (2 strength) at most.
    """
    features, labels = overlapping(60, 150, 4)
    basis, fit = eigenbasis(features), None
    for strength in STRENGTHS[::-4][::-1]:
        fit = fit_logistic(basis, labels, 4, strength, fit)
        assert fit.is_converged
    probe = probe_of(basis, fit)
    scores = probe.scores(features)
    errors = np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
    errors[np.arange(60), labels] -= 1
    weights = (probe.weights * basis.scale[:, None]).numpy()
    gradient = scaled(features).T @ errors + 1e-6 * weights
    found = objective(scores, labels, weights, 1e-6)
    assert fit.objective == pytest.approx(found, rel=1e-5)
    assert (gradient**2).sum() / 2e-6 < 1e-5 * found < 1e-9 * 60
    assert abs(errors.sum(0)).max() < 1e-6


def test_no_place_is_looked_at_twice_in_a_row(monkeypatch, places):
    """Neither where the optimiser begins anew, nor where its bound is taken."""
    monkeypatch.setattr('mmdetxfer.probes.linear.is_small', lambda *_: False)
    features, labels = overlapping(400, 20, 5)
    assert fit_logistic(eigenbasis(features), labels, 5, 1).steps > 5
    assert len(places) > 5
    for one, other in zip(places, places[1:], strict=False):
        assert not torch.equal(one, other)


@pytest.mark.parametrize('sizes', [(200, 150, 5), (1000, 40, 10), (300, 200, 5)])
def test_a_path_takes_fewer_looks_than_scikit_learns(monkeypatch, places, sizes):
    """Which looks at least once in an iteration; and no fit goes on without gain.

    At weak strengths the last steps gain less than single precision sees of the
    objective: a search for the length of each would look ten times.
    """
    monkeypatch.setattr('mmdetxfer.probes.linear.is_small', lambda *_: False)
    features, labels = overlapping(*sizes)
    basis, fit, iterations = eigenbasis(features), None, 0
    theirs = LogisticRegression(tol=1e-8, max_iter=10_000, warm_start=True)
    for strength in (1e4, 1, 0.1, 0.01, 0.001):
        fit = fit_logistic(basis, labels, sizes[2], strength, fit)
        assert fit.is_converged and fit.steps < 200
        theirs.set_params(C=1 / strength).fit(scaled(features), labels)
        iterations += int(theirs.n_iter_.max())
    assert len(places) < iterations


def test_the_first_step_has_its_length(places):
    """At a strong strength all is penalty, whose scaled directions are all alike.

    A search that begins with a step far too short looks for it four times.
    """
    features, labels = overlapping(300, 200, 5)
    fit = fit_logistic(eigenbasis(features), labels, 5, 1e5)
    assert fit.is_converged and len(places) <= fit.steps + 1


@pytest.mark.parametrize('strength', [1e5, 1e-3])
def test_features_that_say_nothing_converge(strength):
    """Each image is there with each class: the best weights are 0, by symmetry."""
    features = np.repeat(overlapping(30, 5, 3)[0], 3, axis=0)
    fit = fit_logistic(eigenbasis(features), np.tile(np.arange(3), 30), 3, strength)
    assert fit.is_converged
    assert fit.objective == pytest.approx(90 * np.log(3), rel=1e-6)
    assert fit.along.abs().max() < 1e-5


def test_double_precision_goes_on_while_the_bound_rises(monkeypatch):
    """Channels of few causes, that overlap: at weak strengths the bound, a slope
    squared over the strength, rises a million times before it falls.
    """
    monkeypatch.setattr('mmdetxfer.probes.linear.is_small', lambda *_: False)
    rng = np.random.default_rng(7)
    causes = rng.normal(size=(64, 64)) / np.arange(1, 65)[:, None]
    features = rng.normal(size=(1500, 64)) @ causes + 5 * rng.normal(size=(1500, 1))
    features = features.astype(np.float32)
    logits = scaled(features) @ rng.normal(size=(64, 10)) / 8
    labels = (logits + 0.3 * rng.gumbel(size=logits.shape)).argmax(1)
    labels[:10] = np.arange(10)
    basis, fit = eigenbasis(features), None
    for strength in STRENGTHS[::4]:
        fit = fit_logistic(basis, labels, 10, strength, fit)
        assert fit.is_converged, strength
    assert fit.along.dtype == torch.float64


@pytest.mark.parametrize('times', [3, 100])
def test_a_start_that_is_sure_of_every_image_is_left_again(finish, times):
    """There is no curvature there, and no slope but that of the penalty."""
    features, labels = overlapping(60, 150, 4)
    basis = eigenbasis(features)
    weak = fit_logistic(basis, labels, 4, 1e-6)
    sure = replace(weak, along=times * weak.along, intercept=times * weak.intercept)
    for strength in (1, 1e-6):
        found = fit_logistic(basis, labels, 4, strength, sure)
        fresh = fit_logistic(basis, labels, 4, strength)
        assert found.is_converged
        assert found.objective == pytest.approx(fresh.objective, rel=1e-5)


def test_a_start_with_an_intercept_leaves_none_where_there_shall_be_none():
    features, labels = overlapping(100, 5, 3)
    labels = np.where(np.arange(100) < 60, 0, labels)
    basis = eigenbasis(features)
    start = fit_logistic(basis, labels, 3, 10)
    found = fit_logistic(basis, labels, 3, 10, start, has_intercept=False)
    fresh = fit_logistic(basis, labels, 3, 10, has_intercept=False)
    assert not found.intercept.any() and start.intercept.abs().max() > 0.1
    assert found.objective == pytest.approx(fresh.objective, rel=1e-5)


def test_standardised_features_do_not_depend_on_units():
    """A million times one feature; unstandardised, all others are penalised more."""
    features, labels = overlapping(200, 6, 3)
    other = features * np.array([1e6, 1, 1, 1, 1, 1], dtype=np.float32)

    def predictions(own, is_standardised):
        basis = eigenbasis(own, is_standardised=is_standardised)
        return probe_of(basis, fit_logistic(basis, labels, 3, 100)).scores(own)

    expected = predictions(features, True)
    np.testing.assert_allclose(predictions(other, True), expected, atol=1e-4)
    assert abs(predictions(other, False) - predictions(features, False)).max() > 0.01


def test_scores_of_some_rows_are_those_of_all():
    features, labels = overlapping(100, 6, 3)
    basis = eigenbasis(features)
    probe = probe_of(basis, fit_logistic(basis, labels, 3, 1))
    np.testing.assert_allclose(
        probe.scores(features, [5, 2]), probe.scores(features)[[5, 2]], rtol=1e-12
    )


@pytest.mark.parametrize(
    'labels, num_classes, strength, said',
    [
        ([0, 1], 2, 1, 'labels: expected one for each of 3 images, got \\(2,\\)'),
        ([0, 1, 2], 2, 1, 'labels: expected 0 to 1 of 2 classes or more, got 0 to 2'),
        ([0, 0, 0], 1, 1, 'labels: expected 0 to 0 of 2 classes or more, got 0 to 0'),
        ([0, -1, 1], 2, 1, 'got -1 to 1'),
        ([0, 2, 0], 3, 1, 'expected images of each of 3 classes, class 1 has none'),
        ([0, 1, 1], 2, 0, 'strength: expected a number above 0, got 0'),
    ],
)
def test_what_cannot_be_fitted_is_refused(labels, num_classes, strength, said):
    basis = eigenbasis(np.eye(3))
    with pytest.raises(ValueError, match=said):
        fit_logistic(basis, np.array(labels), num_classes, strength)
