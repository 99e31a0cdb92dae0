"""Features in their eigenbasis: the same numbers, read in other directions."""

import sys

import numpy as np
import pytest
import torch
from toy_features import overlapping, scaled

from mmdetxfer.probes import eigenbasis


@pytest.mark.parametrize('sizes', [(80, 10), (10, 80), (12, 12)])
def test_directions_are_uncorrelated_and_keep_all_distances(sizes):
    features, _ = overlapping(*sizes, 2)
    basis = eigenbasis(features)
    turned = basis.turned.double().numpy()
    own = scaled(features)
    np.testing.assert_allclose(turned @ turned.T, own @ own.T, atol=2e-4)
    products = turned.T @ turned
    np.testing.assert_allclose(
        products, np.diag(basis.spreads), atol=1e-4 * sizes[0] * sizes[1]
    )
    # Less the mean, there are at most N - 1 directions.
    assert len(basis.spreads) == min(sizes[0] - 1, sizes[1])
    assert (np.diff(basis.spreads) >= 0).all()


@pytest.mark.parametrize('sizes', [(80, 10), (10, 80)])
def test_weights_along_directions_are_weights_of_features(sizes):
    """x . w in either: for the training images and for others, some of them too."""
    features, _ = overlapping(*sizes, 2)
    other, _ = overlapping(20, sizes[1], 2, seed=3)
    basis = eigenbasis(features)
    along = torch.randn(len(basis.spreads), 3, dtype=torch.float64)
    weights = basis.weights(along).numpy()
    expected = scaled(other, features) @ weights
    found = basis.turn(other).double() @ along
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    some = basis.turn(other, np.array([7, 1])).double() @ along
    np.testing.assert_allclose(some, found[[7, 1]], rtol=1e-5, atol=1e-5)
    own = basis.turned.double() @ along
    np.testing.assert_allclose(own, scaled(features) @ weights, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('num_features', [10, 80])
def test_rows_are_the_training_images(num_features):
    features, _ = overlapping(40, num_features, 2)
    rows = np.array([3, 17, 20, 39, 5, 8, 9, 21, 22, 30, 31, 0])
    basis = eigenbasis(features, rows)
    alone = eigenbasis(features[rows])
    assert torch.equal(basis.spreads, alone.spreads)
    along = torch.randn(len(basis.spreads), 2, dtype=torch.float64)
    assert torch.equal(basis.weights(along), alone.weights(along))


@pytest.mark.parametrize('num_features', [10, 300])
def test_blocks_change_nothing(num_features, monkeypatch):
    """Seven rows or columns at a time."""
    module = sys.modules['mmdetxfer.probes.eigenbasis']
    features, _ = overlapping(40, num_features, 2)
    whole = eigenbasis(features)
    for name in ('_BLOCK', 'WIDE_BLOCK'):
        monkeypatch.setattr(module, name, 7 * min(40, num_features))
    parts = eigenbasis(features)
    np.testing.assert_allclose(parts.spreads, whole.spreads, rtol=1e-10, atol=1e-8)
    cosines = (parts.turned * whole.turned).sum(0) / whole.spreads.float()
    np.testing.assert_allclose(cosines.abs(), 1, atol=1e-4)


@pytest.mark.parametrize('num_features', [10, 80])
@pytest.mark.parametrize('mode', ['r', 'c'])
def test_features_may_lie_in_a_file(tmp_path, num_features, mode, recwarn):
    """Which nobody may write into: not even a warning."""
    features, _ = overlapping(40, num_features, 2)
    np.save(tmp_path / 'features.npy', features)
    mapped = np.load(tmp_path / 'features.npy', mmap_mode=mode)
    basis, plain = eigenbasis(mapped), eigenbasis(features)
    assert torch.equal(basis.spreads, plain.spreads)
    along = torch.randn(len(basis.spreads), 2, dtype=torch.float64)
    assert torch.equal(basis.weights(along), plain.weights(along))
    assert torch.equal(basis.turn(mapped), plain.turn(features))
    assert not recwarn.list


def test_other_images_without_numbers_are_named():
    features, _ = overlapping(40, 5, 2)
    other = features[:9].copy()
    other[7, 2] = np.inf
    with pytest.raises(ValueError, match='expected finite numbers, row 7 has others'):
        eigenbasis(features).turn(other)


def test_a_constant_feature_counts_as_nothing(tmp_path):
    """Nor does what rounding leaves of one; out of a file that cannot be written."""
    features, _ = overlapping(50, 4, 2)
    path = tmp_path / 'features.npy'
    steady = np.full((50, 1), 1e4, dtype=np.float32)
    steady[::2] += np.float32(1e-3)
    np.save(path, np.hstack([features, steady, 0 * steady]))
    basis = eigenbasis(np.load(path, mmap_mode='c'))
    assert len(basis.spreads) == 4
    assert torch.isinf(basis.scale[4:]).all()
    plain = eigenbasis(features)
    np.testing.assert_allclose(basis.spreads, plain.spreads)


@pytest.mark.parametrize(
    'features, said',
    [
        (np.ones(3), r'features: expected \(N, D\), got \(3,\)'),
        (np.ones((0, 3)), r'features: expected \(N, D\), got \(0, 3\)'),
        (np.ones((4, 2)), 'expected some that vary over the 4 images, all 2 are const'),
        (
            np.diag([1, 1, np.nan]),
            'expected finite numbers, row 2 has others',
        ),
    ],
)
def test_features_that_cannot_be_used_are_refused(features, said):
    with pytest.raises(ValueError, match=said):
        eigenbasis(features)
