"""Votes of nearest neighbours, by hand and against scikit-learn's neighbours."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from toy_features import overlapping

from mmdetxfer.probes import neighbour_scores


def test_votes_by_hand():
    """Cosines 1 and 0.6 with classes 0 and 1: exp(0) and exp(-0.4 / 0.1)."""
    known = np.array([[2.0, 0.0], [3.0, 4.0], [-1.0, 0.0]])
    votes = neighbour_scores(known, [0, 1, 2], [[5.0, 0.0]], 3, 2, temperature=0.1)
    np.testing.assert_allclose(votes, [[1, np.exp(-4), 0]], rtol=1e-5)
    # The closest one alone; and all, where more are asked for than there are.
    assert neighbour_scores(known, [0, 1, 2], [[0.0, 1.0]], 3, 1).tolist() == [
        [0, 1, 0]
    ]
    votes = neighbour_scores(known, [0, 1, 2], [[5.0, 0.0]], 3, 9, temperature=1.0)
    np.testing.assert_allclose(votes, [[1, np.exp(-0.4), np.exp(-2)]], rtol=1e-5)


def test_each_image_asks_all_others():
    """Two pairs and one alone, whose neighbours are of the first pair."""
    known = np.array([[1.0, 0], [1, 0.1], [-1, 0], [-1, 0.1], [0.2, 1]])
    votes = neighbour_scores(known, [0, 0, 1, 1, 1], None, 2, 1)
    assert votes.argmax(1).tolist() == [0, 0, 1, 1, 0]


def test_what_is_zero_throughout_has_no_direction():
    """Its cosine is 0 with all: behind 1, before -1; asked, all weigh the same."""
    known = np.array([[1.0, 0], [0, 0], [-1, 0]])
    votes = neighbour_scores(known, [0, 1, 2], [[1.0, 0], [0, 0]], 3, 3, 1.0)
    expected = [[1, np.exp(-1), np.exp(-2)], [1, 1, 1]]
    np.testing.assert_allclose(votes, expected, rtol=1e-5)


def test_classes_are_scikit_learns():
    """Of equal weights: at a high temperature the votes are counts."""
    features, labels = overlapping(120, 6, 3)
    queries, _ = overlapping(40, 6, 3, seed=1)
    theirs = KNeighborsClassifier(7, metric='cosine').fit(features, labels)
    votes = neighbour_scores(features, labels, queries, 3, 7, temperature=1e6)
    np.testing.assert_allclose(votes / 7, theirs.predict_proba(queries), atol=1e-5)


@pytest.mark.parametrize(
    'changes, said',
    [
        (dict(num_neighbours=0), 'expected 1 neighbour or more and a temperature'),
        (dict(temperature=0), 'a temperature above 0, got 20 and 0'),
        (dict(labels=[0]), r'got \(2, 2\), 1 classes and \(1, 2\)'),
        (dict(labels=[0, 2]), 'labels: expected 0 to 1, got 0 to 2'),
        (dict(queries=[[1.0]]), r'got \(2, 2\), 2 classes and \(1, 1\)'),
        (dict(queries=[[np.inf, 0]]), 'queries: expected finite numbers, row 0 has o'),
        (dict(features=[[1.0, 0], [np.nan, 0]]), 'features: .*, row 1 has'),
        (
            dict(features=[[1.0, 0]], labels=[0], queries=None),
            'expected neighbours to vote, got 1 known images',
        ),
    ],
)
def test_what_has_no_neighbours_is_refused(changes, said):
    settings = dict(features=np.eye(2), labels=[0, 1], queries=[[1.0, 0]])
    with pytest.raises(ValueError, match=said):
        neighbour_scores(**{**settings, **changes}, num_classes=2)
