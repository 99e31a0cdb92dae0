"""Shares by painting pixels, groups by hand."""

import numpy as np
import pytest

from mmdetxfer.probes.object_groups import (
    covered_share,
    group_contrasts,
    object_groups,
)


def test_a_share_is_that_of_painted_pixels():
    rng = np.random.default_rng(0)
    for _ in range(50):
        width, height = rng.integers(5, 30, 2)
        corners = np.sort(rng.integers(-3, 33, (rng.integers(1, 5), 2, 2)), axis=1)
        boxes = corners.reshape(-1, 4)
        painted = np.zeros((height, width), dtype=bool)
        for x1, y1, x2, y2 in np.maximum(boxes, 0):
            painted[y1:y2, x1:x2] = True
        found = covered_share(boxes, (width, height))
        assert found == pytest.approx(painted.mean())
    assert covered_share(np.zeros((0, 4)), (10, 10)) == 0


def test_each_image_has_one_group_of_either_kind():
    """Shares .02 .05 .3 .9 with edges .05 and .4: one ends at its edge."""
    counts = np.array([1, 2, 3, 7])
    shares = np.array([0.02, 0.05, 0.3, 0.9])
    groups = object_groups(counts, shares, (0.05, 0.4))
    named = {name: np.flatnonzero(own).tolist() for name, own in groups.items()}
    assert named == {
        'instances 1': [0],
        'instances 2': [1],
        'instances 3+': [2, 3],
        'instances 2+': [1, 2, 3],
        'share 0 to 0.05': [0, 1],
        'share 0.05 to 0.4': [2],
        'share 0.4+': [3],
        'share to 0.4': [0, 1, 2],
        'share over 0.4': [3],
    }
    assert group_contrasts(groups) == [
        ('instances 2+', 'instances 1'),
        ('share to 0.4', 'share over 0.4'),
    ]


@pytest.mark.parametrize('edges', [(), (0.4, 0.1), (0.1, 0.1), (0, 0.5), (1.5,)])
def test_edges_must_rise(edges):
    with pytest.raises(ValueError, match='expected rising shares'):
        object_groups(np.ones(1), np.ones(1), edges)


def test_images_without_an_object_are_named():
    with pytest.raises(ValueError, match='row 1 has none'):
        object_groups(np.array([1, 0]), np.ones(2))
