"""Labels of objects, against hand arithmetic on rectangles."""

import numpy as np
import pytest

from mmdetxfer.worlds.canvas import Canvas, Member, Shape, try_place
from mmdetxfer.worlds.categories import category_of
from mmdetxfer.worlds.labels import describe, occlusion_level


def canvas_of(*placements, is_crowd=False):
    """Lay rectangles (x, y, width, height) one after the other on 100 x 100 pixels."""
    canvas = Canvas(np.zeros((100, 100), np.uint8))
    for x, y, width, height in placements:
        mask = np.ones((height, width), bool)
        members = (Member(0, 0, mask.astype(np.uint8) * 255),)
        shape = Shape(category_of('cat'), members, mask, is_crowd)
        assert try_place(canvas, shape, x, y, may_hide=True)
    return canvas


@pytest.mark.parametrize(
    ('hidden', 'level'),
    [(0, 0), (9, 0), (10, 1), (100, 1), (101, 2), (500, 2), (501, 3), (999, 3)],
)
def test_occlusion_levels_begin_at_1_10_and_50_percent(hidden, level):
    """Of 1000 pixels; Hoiem et al.: low 1 to 10 %, medium to 50 %, high above."""
    assert occlusion_level(hidden, 1000) == level


def test_an_object_that_nothing_hides_has_its_full_box():
    (item,) = describe(canvas_of((10, 20, 30, 40)))

    assert item.box == item.full_box == (10, 20, 39, 59)
    assert item.scale_px == pytest.approx(1200**0.5)
    assert (item.occlusion, item.occluded_share) == (0, 0)
    assert not (item.is_truncated or item.is_difficult or item.is_crowd)
    assert (item.category, item.outline, item.texture_family) == (
        'cat',
        category_of('cat').outline,
        category_of('cat').texture_family,
    )


def test_the_box_shrinks_to_what_another_object_leaves():
    """20 x 20 at 0, of which one at x = 12 hides 8 of 20 columns: 40 %."""
    first, second = describe(canvas_of((0, 0, 20, 20), (12, 0, 20, 20)))

    assert first.box == (0, 0, 11, 19)
    assert first.full_box == (0, 0, 19, 19)
    assert (first.occlusion, first.occluded_share) == (2, 0.4)
    assert second.occlusion == 0
    assert not first.is_truncated


def test_the_border_truncates_but_does_not_occlude():
    """20 x 20 at x = -5: a quarter outside."""
    (item,) = describe(canvas_of((-5, 0, 20, 20)))

    assert item.box == (0, 0, 14, 19)
    assert item.full_box == (-5, 0, 14, 19)
    assert item.is_truncated
    assert item.occlusion == 0


def test_occlusion_counts_only_pixels_inside_the_image():
    """15 of 20 columns lie inside, of which 6 are hidden: 40 %, not 30 %."""
    item, _ = describe(canvas_of((-5, 0, 20, 20), (9, 0, 20, 20)))

    assert item.occluded_share == pytest.approx(0.4)


@pytest.mark.parametrize(('left', 'difficult'), [(8, False), (7, True)])
def test_under_two_fifths_to_be_seen_is_difficult(left, difficult):
    """40 or 35 % of 20 x 20."""
    item, _ = describe(canvas_of((0, 0, 20, 20), (left, 0, 20, 20)))

    assert item.is_difficult is difficult


@pytest.mark.parametrize(('height', 'difficult'), [(6, False), (5, True)])
def test_under_36_pixels_to_be_seen_is_difficult(height, difficult):
    (item,) = describe(canvas_of((0, 0, 6, height)))

    assert item.is_difficult is difficult


def test_a_crowd_is_difficult():
    (item,) = describe(canvas_of((0, 0, 50, 50), is_crowd=True))

    assert item.is_crowd and item.is_difficult
