"""Accuracy by hand."""

import numpy as np
import pytest

from mmdetxfer.probes import accuracy


def test_all_images_and_the_mean_of_the_classes():
    """Class 0: 2 of 3; class 2: 1 of 1; class 1 has none. Of equal scores the first."""
    scores = np.array([[1, 0, 0], [2, 2, 0], [0, 3, 1], [0, 0, 1.0]])
    found = accuracy(scores, np.array([0, 0, 0, 2]))
    assert found.top1 == 0.75 and found.num_classes == 2
    assert found.mean_per_class == pytest.approx((2 / 3 + 1) / 2)
    assert found.is_right.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    'scores, labels, said',
    [
        (np.ones((2, 3)), [0], r'expected a row for each of 1 images.*got \(2, 3\)'),
        (np.ones((0, 3)), [], 'one at least'),
        (np.array([[1, 0], [np.nan, 1]]), [0, 1], 'finite numbers, row 1 has others'),
    ],
)
def test_what_has_no_accuracy_is_refused(scores, labels, said):
    with pytest.raises(ValueError, match=said):
        accuracy(scores, np.array(labels, dtype=int))
