"""Laying shapes on one another, in hand-made cases of rectangles.

Shapes here are filled rectangles, so that all numbers of pixels are products.
"""

import numpy as np
import pytest

from mmdetxfer.worlds.canvas import Canvas, Member, Shape, try_place, visible_part
from mmdetxfer.worlds.categories import category_of


def rectangle(width, height):
    mask = np.ones((height, width), bool)
    members = (Member(0, 0, mask.astype(np.uint8) * 255),)
    return Shape(category_of('car'), members, mask, is_crowd=False)


@pytest.fixture
def canvas():
    return Canvas(np.zeros((100, 100), np.uint8))


def test_a_shape_shows_where_it_is_laid(canvas):
    assert try_place(canvas, rectangle(10, 20), 5, 7, may_hide=True)

    assert canvas.instances.sum() == 200
    assert (canvas.instances[7:27, 5:15] == 1).all()
    assert canvas.visible == [200]
    assert canvas.placed[0].inside == 200


def test_the_border_cuts_off_what_lies_outside(canvas):
    """10 x 20 at x = -4: 6 of 10 columns lie inside."""
    assert try_place(canvas, rectangle(10, 20), -4, 0, may_hide=True)

    assert canvas.placed[0].inside == 120
    assert (canvas.instances > 0).sum() == 120


@pytest.mark.parametrize(('x', 'laid'), [(-65, True), (-66, False), (-100, False)])
def test_at_least_35_percent_of_a_shape_lie_inside(canvas, x, laid):
    """Width 100: at -65 so many hundredths of the columns lie inside as are left."""
    assert try_place(canvas, rectangle(100, 20), x, 0, may_hide=True) is laid
    assert len(canvas.placed) == laid


@pytest.mark.parametrize(('x', 'laid'), [(5, True), (4, False)])
def test_a_hidden_shape_keeps_a_quarter_of_its_pixels(canvas, x, laid):
    """20 x 20 at 0; one of the same size at (x, 0) leaves x columns, 25 % at 5."""
    try_place(canvas, rectangle(20, 20), 0, 0, may_hide=True)

    assert try_place(canvas, rectangle(20, 20), x, 0, may_hide=True) is laid
    assert canvas.visible[0] == (100 if laid else 400)


def test_hidden_pixels_add_up_over_several_shapes(canvas):
    """Two that hide 40 % each would leave 20 %."""
    try_place(canvas, rectangle(20, 20), 0, 0, may_hide=True)

    assert try_place(canvas, rectangle(8, 20), 0, 0, may_hide=True)
    assert not try_place(canvas, rectangle(8, 20), 8, 0, may_hide=True)
    assert canvas.visible[0] == 240


@pytest.mark.parametrize(('width', 'laid'), [(15, True), (16, False)])
def test_a_hidden_shape_keeps_20_pixels_at_least(canvas, width, laid):
    """A row of 35 loses 15 or 16 pixels; a quarter of it would be 9."""
    try_place(canvas, rectangle(35, 1), 0, 10, may_hide=True)

    assert try_place(canvas, rectangle(width, 20), 0, 0, may_hide=True) is laid


@pytest.mark.parametrize(('columns', 'laid'), [(19, False), (20, True)])
def test_a_shape_of_fewer_than_20_pixels_is_not_laid(canvas, columns, laid):
    assert try_place(canvas, rectangle(columns, 1), 0, 0, may_hide=True) is laid


def test_a_shape_that_may_not_hide_lets_others_be_but_for_a_hundredth(canvas):
    """4 of 400 pixels are one hundredth, 5 are more."""
    try_place(canvas, rectangle(20, 20), 0, 0, may_hide=True)

    assert not try_place(canvas, rectangle(5, 20), 15, 19, may_hide=False)
    assert try_place(canvas, rectangle(4, 20), 16, 19, may_hide=False)


def test_the_visible_part_of_a_mask_outside_the_image_is_empty():
    (rows, columns), part = visible_part(np.ones((5, 5), bool), 200, -9, 100, 100)

    assert part.size == 0
    assert np.zeros((100, 100))[rows, columns].size == 0
