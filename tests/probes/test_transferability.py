"""LogME and H-score against formulas that share nothing with theirs."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from toy_features import overlapping

from mmdetxfer.probes import eigenbasis, h_score, log_evidence


@pytest.mark.parametrize('has_meaning', [True, False])
@pytest.mark.parametrize('sizes', [(40, 6, 3), (20, 30, 2), (60, 5, 3)])
def test_log_evidence_is_the_greatest_likelihood_of_the_targets(sizes, has_meaning):
    """Weights of variance a and noise of variance b make the targets normal.

    Their covariance is a F F' + b; a and b are sought with scipy. Features that say
    nothing have the greatest at a of 0.
    """
    features, labels = overlapping(*sizes)
    features = features / 10
    if not has_meaning:
        features = np.random.default_rng(1).normal(size=features.shape)
        features = features - features.mean(0)
    own = features.astype(np.float64)

    def cost(logs, target):
        covariance = np.exp(logs[0]) * own @ own.T + np.exp(logs[1]) * np.eye(len(own))
        return -multivariate_normal(np.zeros(len(own)), covariance).logpdf(target)

    values = []
    for label in range(sizes[2]):
        target = (labels == label).astype(float)
        best = minimize(cost, (-2, -2), (target,), method='Nelder-Mead', tol=1e-9)
        values.append(-best.fun / len(own))
    assert log_evidence(features, labels, sizes[2]) == pytest.approx(
        np.mean(values), abs=1e-4
    )


def test_classes_without_images_do_not_count():
    features, labels = overlapping(40, 6, 3)
    assert log_evidence(features, labels, 9) == log_evidence(features, labels, 3)


def test_h_score_is_the_trace_of_its_definition():
    """tr(cov(F)^-1 cov(mean of F given the class))."""
    features, labels = overlapping(100, 8, 4)
    centred = features - features.mean(0, dtype=np.float64)
    means = np.stack([centred[labels == label].mean(0) for label in range(4)])[labels]
    inverse = np.linalg.inv(centred.T @ centred)
    expected = np.trace(inverse @ (means.T @ means))
    assert h_score(eigenbasis(features), labels, 4) == pytest.approx(expected, rel=1e-4)
    # It does not depend on units, nor on directions.
    turned = features @ np.random.default_rng(0).normal(size=(8, 8))
    assert h_score(eigenbasis(turned), labels, 4) == pytest.approx(expected, rel=1e-3)


def test_both_are_greater_for_features_that_tell_the_classes():
    features, labels = overlapping(200, 6, 3)
    told = np.hstack([features, labels[:, None] == np.arange(2)])
    assert h_score(eigenbasis(told), labels, 3) == pytest.approx(2, rel=1e-3)
    assert h_score(eigenbasis(features), labels, 3) < 1.5
    assert log_evidence(told, labels, 3) > log_evidence(features, labels, 3) + 0.1


@pytest.mark.parametrize(
    'features, labels, said',
    [
        (np.eye(3), [0, 1], r'labels: expected one for each of 3 images, got \(2,\)'),
        (np.eye(3), [0, 1, 3], 'labels: expected 0 to 2, got 0 to 3'),
        (np.diag([1, np.inf, 1]), [0, 1, 2], 'features: expected finite numbers'),
        (np.zeros((3, 2)), [0, 1, 2], 'features: expected some that are not 0, all'),
    ],
)
def test_what_has_no_evidence_is_refused(features, labels, said):
    with pytest.raises(ValueError, match=said):
        log_evidence(features, np.array(labels), 3)
