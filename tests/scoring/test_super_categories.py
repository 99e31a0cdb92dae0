"""Vehicles and animals, by list, by synset, by a matrix of ancestors."""

import numpy as np
from mmdet.datasets import CocoDataset, VOCDataset

from mmdetxfer.scoring.super_categories import (
    MEMBERS,
    descendants,
    members_by_matrix,
)


def test_voc_has_seven_vehicles_and_six_animals():
    classes = set(VOCDataset.METAINFO['classes'])
    assert len(classes & set(MEMBERS['vehicle'])) == 7
    assert len(classes & set(MEMBERS['animal'])) == 6


def test_coco_has_eight_vehicles_and_ten_animals():
    """COCO's own super-categories of these names have as many."""
    classes = set(CocoDataset.METAINFO['classes'])
    assert len(classes & set(MEMBERS['vehicle'])) == 8
    assert len(classes & set(MEMBERS['animal'])) == 10


def test_descendants_are_found_over_several_steps_and_once():
    is_a = [('a', 'b'), ('b', 'c'), ('a', 'c'), ('x', 'y'), ('c', 'a')]
    assert descendants('a', is_a) == {'a', 'b', 'c'}
    assert descendants('z', is_a) == {'z'}


def test_a_matrix_of_ancestors_tells_members():
    matrix = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    assert members_by_matrix(['Vehicle', 'Car', 'Cat'], matrix, 'vehicle') == [
        'Vehicle',
        'Car',
    ]
    assert members_by_matrix(['Car', 'Cat'], np.eye(2), 'vehicle') == []
