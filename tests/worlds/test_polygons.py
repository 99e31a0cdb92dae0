"""Polygons and run lengths of masks, against hand-made cases and pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmdetxfer.worlds.polygons import mask_polygons, run_lengths
from mmdetxfer.worlds.scenes import draw_scene


def filled(polygons, shape):
    """Fill polygons as COCO does."""
    runs = coco_mask.frPyObjects(polygons, *shape)
    return coco_mask.decode(coco_mask.merge(runs)).astype(bool)


def mask_of(*rows):
    return np.array([[letter == '#' for letter in row] for row in rows])


def test_a_pixel_is_a_square_of_side_1():
    assert mask_polygons(mask_of('..', '.#')) == [[1, 1, 2, 1, 2, 2, 1, 2]]


def test_straight_edges_have_only_their_ends():
    polygons = mask_polygons(mask_of('....', '.###', '.###'))

    assert polygons == [[1, 1, 4, 1, 4, 3, 1, 3]]


def test_pixels_that_touch_by_corners_are_two_polygons():
    mask = mask_of('#.', '.#')

    assert len(mask_polygons(mask)) == 2
    assert (filled(mask_polygons(mask), (2, 2)) == mask).all()


def test_a_ring_is_cut_into_parts_without_hole():
    """A 3 x 3 ring is cut through the row of its hole."""
    mask = mask_of('###', '#.#', '###')

    polygons = mask_polygons(mask)

    assert len(polygons) > 1
    assert (filled(polygons, (3, 3)) == mask).all()


def test_an_empty_mask_has_no_polygon():
    assert mask_polygons(np.zeros((3, 3), bool)) == []


@pytest.mark.parametrize('share', [0.15, 0.5, 0.85])
def test_polygons_of_any_mask_fill_to_that_mask(share):
    rng = np.random.default_rng(0)
    for _ in range(40):
        mask = rng.random((11, 14)) < share
        assert (filled(mask_polygons(mask), mask.shape) == mask).all()


def test_polygons_of_drawn_objects_fill_to_their_visible_pixels():
    for index in range(12):
        scene = draw_scene(4, index, 'source')
        for number in range(1, len(scene.objects) + 1):
            mask = scene.instances == number
            assert (filled(mask_polygons(mask), mask.shape) == mask).all()


def test_run_lengths_go_down_the_columns_and_begin_with_zeros():
    """Columns '.#' and '##': one zero, then three ones; and one that begins with 1."""
    assert run_lengths(mask_of('.#', '##')) == [1, 3]
    assert run_lengths(mask_of('#.', '..')) == [0, 1, 3]


def test_run_lengths_are_those_that_pycocotools_reads():
    rng = np.random.default_rng(1)
    for share in (0, 0.3, 0.7, 1):
        mask = rng.random((9, 7)) < share
        runs = dict(counts=run_lengths(mask), size=[9, 7])
        decoded = coco_mask.decode(coco_mask.frPyObjects(runs, 9, 7))
        assert (decoded == mask).all()
