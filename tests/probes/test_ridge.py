"""Ridge regression against the closed form, written with the features themselves."""

import numpy as np
import pytest
from toy_features import overlapping, scaled

from mmdetxfer.probes import eigenbasis, fit_ridge, probe_of


@pytest.mark.parametrize('sizes', [(200, 12, 4), (40, 90, 3)])
def test_the_solution_is_the_closed_form_in_double_precision(sizes):
    """(Z'Z + strength) W = Z'(Y - mean); the mean is the intercept."""
    features, labels = overlapping(*sizes)
    other, _ = overlapping(30, sizes[1], sizes[2], seed=1)
    own, targets = scaled(features), np.eye(sizes[2])[labels]
    strengths = (1000.0, 10.0, 0.1)
    basis = eigenbasis(features)
    for fit in fit_ridge(basis, labels, sizes[2], strengths):
        matrix = own.T @ own + fit.strength * np.eye(sizes[1])
        weights = np.linalg.solve(matrix, own.T @ (targets - targets.mean(0)))
        expected = scaled(other, features) @ weights + targets.mean(0)
        found = probe_of(basis, fit)
        np.testing.assert_allclose(found.scores(other), expected, atol=1e-5)
        errors = own @ weights + targets.mean(0) - targets
        objective = (errors**2).sum() + fit.strength * (weights**2).sum()
        assert fit.objective == pytest.approx(objective, rel=1e-5)
        assert fit.is_converged


def test_a_strength_of_nothing_is_refused():
    features, labels = overlapping(20, 3, 2)
    with pytest.raises(ValueError, match='strength: expected a number above 0, got 0'):
        fit_ridge(eigenbasis(features), labels, 2, (1, 0))
