"""Strengths that a held-out part chooses."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from toy_features import overlapping, scaled

from mmdetxfer.probes import (
    NotConvergedError,
    choose_logistic,
    choose_ridge,
    held_out_rows,
)

GRID = (1e4, 1e3, 1e2, 10, 1, 0.1)


@pytest.fixture
def data():
    features, labels = overlapping(150, 40, 3)
    return features, labels, held_out_rows(labels)


def test_the_choice_is_what_scikit_learn_would_choose(data):
    """Fitted to the rest, scored on the held-out part; refitted to all, unchanged."""
    features, labels, held = data
    found = choose_logistic(features, labels, held, 3, GRID)
    rest = np.delete(np.arange(150), held)
    scores = {}
    for strength in GRID:
        theirs = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=10_000)
        theirs.fit(scaled(features[rest]), labels[rest])
        right = theirs.predict(scaled(features[held], features[rest])) == labels[held]
        scores[strength] = right.mean()
    assert found.scores == pytest.approx(scores)
    best = max(scores, key=scores.get)
    assert found.probe.strength == best and found.not_converged == ()
    theirs = LogisticRegression(C=1 / best, tol=1e-10, max_iter=10_000)
    theirs.fit(scaled(features), labels)
    expected = theirs.predict(scaled(features))
    np.testing.assert_array_equal(found.probe.scores(features).argmax(1), expected)


def test_what_is_held_out_may_be_said_for_each_image(data):
    features, labels, held = data
    is_held = np.isin(np.arange(150), held)
    for choose in (choose_logistic, choose_ridge):
        one, other = (choose(features, labels, h, 3, GRID) for h in (held, is_held))
        assert one.scores == other.scores


def test_ridge_is_chosen_in_the_same_way(data):
    features, labels, held = data
    found = choose_ridge(features, labels, held, 3, GRID)
    rest = np.delete(np.arange(150), held)
    own, targets = scaled(features[rest]), np.eye(3)[labels[rest]]
    for strength, score in found.scores.items():
        matrix = own.T @ own + strength * np.eye(40)
        weights = np.linalg.solve(matrix, own.T @ (targets - targets.mean(0)))
        votes = scaled(features[held], features[rest]) @ weights + targets.mean(0)
        assert score == pytest.approx((votes.argmax(1) == labels[held]).mean())
    assert found.scores[found.probe.strength] == max(found.scores.values())
    assert list(found.scores) == sorted(GRID, reverse=True)


def test_of_equal_scores_the_stronger_wins():
    """One feature that says all: every strength is right."""
    labels = np.arange(40) % 2
    features = labels[:, None] + 0.01 * np.random.default_rng(0).random((40, 1))
    held = held_out_rows(labels)
    for choose in (choose_logistic, choose_ridge):
        found = choose(features, labels, held, 2, (1.0, 100.0, 10.0))
        assert found.probe.strength == 100 and set(found.scores.values()) == {1.0}


def test_after_five_falls_weaker_ones_are_left_out(data, monkeypatch):
    import mmdetxfer.probes.choice as module

    scores = iter([0.5, 0.6, 0.5, 0.4, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01, 0.9])
    monkeypatch.setattr(module, '_score', lambda *_: next(scores))
    grid = [2.0**k for k in range(20)]
    found = choose_logistic(*data, 3, grid)
    # Equal to the one before is no fall: five in a row end with 0.01.
    assert len(found.scores) == 10
    assert found.probe.strength == 2.0**18


def test_unstandardised_features_are_another_probe(data):
    features, labels, held = data
    found = [
        choose_logistic(features, labels, held, 3, (100,), is_standardised=one)
        for one in (True, False)
    ]
    scores = [one.probe.scores(features) for one in found]
    assert abs(scores[0] - scores[1]).max() > 1e-2


def test_a_choice_that_did_not_converge_is_an_error(data, monkeypatch):
    """Others that did not are named."""
    import mmdetxfer.probes.choice as module

    features, labels = overlapping(60, 150, 4)
    held = held_out_rows(labels)
    fit = module.fit_logistic

    def hasty(basis, own, num_classes, strength, *more):
        steps = 10 if strength == 1e-6 else 1000
        return fit(basis, own, num_classes, strength, *more, max_steps=steps)

    monkeypatch.setattr(module, 'fit_logistic', hasty)
    found = choose_logistic(features, labels, held, 4, (1e2, 1e-6))
    assert found.probe.strength == 1e2 and found.not_converged == (1e-6,)
    with pytest.raises(NotConvergedError, match='strength 1e-06 was chosen and'):
        choose_logistic(features, labels, held, 4, (1e-6,))


@pytest.mark.parametrize(
    'held, said',
    [
        (np.arange(0), 'held-out part: expected some of 6 images, got 0'),
        (np.arange(6), 'held-out part: expected some of 6 images, got 6'),
        (np.array([4, 5]), 'class 2 is held out as a whole'),
    ],
)
def test_parts_that_cannot_choose_are_refused(held, said):
    features, labels = np.random.default_rng(0).random((6, 2)), [0, 0, 1, 1, 2, 2]
    for choose in (choose_logistic, choose_ridge):
        with pytest.raises(ValueError, match=said):
            choose(features, np.array(labels), held, 3)
