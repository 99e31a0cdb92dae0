"""Held-out and few images: stratified, and the same for all."""

import numpy as np
import pytest

from mmdetxfer.probes import few_rows, held_out_rows

# Ten of class 0, five of class 2, two of class 3.
LABELS = np.array([0, 2, 0, 3, 0, 2, 0, 0, 2, 0, 0, 2, 0, 3, 0, 2, 0])


def test_a_share_of_each_class_is_held_out():
    """0.3 of 10, 5 and 2: 3, 2 (1.5 to even) and 1 (0.6); 0.05 of each: one."""
    rows = held_out_rows(LABELS, 0.3)
    assert np.bincount(LABELS[rows]).tolist() == [3, 0, 2, 1]
    assert (np.diff(rows) > 0).all()
    assert np.bincount(LABELS[held_out_rows(LABELS, 0.05)]).tolist() == [1, 0, 1, 1]
    # One is left to learn from.
    assert np.bincount(LABELS[held_out_rows(LABELS, 0.99)]).tolist() == [9, 0, 4, 1]
    np.testing.assert_array_equal(rows, held_out_rows(LABELS, 0.3, seed=0))
    assert rows.tolist() != held_out_rows(LABELS, 0.3, seed=1).tolist()


def test_as_many_of_each_class_and_fewer_are_among_more():
    rows = few_rows(LABELS, 2)
    assert np.bincount(LABELS[rows]).tolist() == [2, 0, 2, 2]
    assert set(few_rows(LABELS, 1)) < set(rows)
    assert set(rows) != set(few_rows(LABELS, 2, seed=1))


@pytest.mark.parametrize('share', [0, 1, -0.1])
def test_shares_are_within_limits(share):
    with pytest.raises(ValueError, match='share: expected more than 0 and less than 1'):
        held_out_rows(LABELS, share)


def test_classes_that_are_too_small_are_named():
    names = ('cat', 'cow', 'dog', 'fox')
    with pytest.raises(ValueError, match="class 'fox': expected 2 images or more, one"):
        held_out_rows(LABELS[:9], names=names)
    with pytest.raises(ValueError, match='class 3: expected 3 images or more, got 2'):
        few_rows(LABELS, 3)
    with pytest.raises(ValueError, match='shots: expected 1 or more, got 0'):
        few_rows(LABELS, 0)
