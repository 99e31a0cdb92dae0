"""Features and what they are of have to agree."""

import numpy as np
import pytest

from mmdetxfer.probes.feature_set import FeatureSet


def features(**changes):
    parts = dict(
        features=np.eye(3),
        labels=np.array([0, 2, 2]),
        image_ids=('a', 'b', 'c'),
        classes=('x', 'y', 'z'),
    )
    return FeatureSet(**{**parts, **changes})


def test_rows_and_gaps():
    whole = features()
    assert whole.missing_classes() == ['y']
    part = whole.rows([2, 0])
    assert part.image_ids == ('c', 'a') and part.labels.tolist() == [2, 0]
    assert part.features.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    'changes, said',
    [
        (dict(features=np.eye(2)), r'a row for each of 3 labels, got \(2, 2\)'),
        (
            dict(image_ids=('a', 'b')),
            'expected 3 that differ, got 2, of which 2 di',
        ),
        (dict(image_ids=('a', 'b', 'a')), 'got 3, of which 2 differ'),
        (dict(labels=np.array([0, 3, 1])), "expected 0 to 2, image 'b' has 3"),
        (dict(labels=np.array([0, 1, -1])), "expected 0 to 2, image 'c' has -1"),
    ],
)
def test_parts_that_do_not_agree(changes, said):
    with pytest.raises(ValueError, match=said):
        features(**changes)
