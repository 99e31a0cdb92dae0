"""Outlines: they fill their boxes, have thin parts, and room for a patch of texture."""

import math

import cv2
import numpy as np
import pytest

from mmdetxfer.worlds.draws import Draws
from mmdetxfer.worlds.outlines import OUTLINES, box_size, draw_mask


@pytest.mark.parametrize('outline', OUTLINES)
@pytest.mark.parametrize('scale', [10, 17, 64, 250])
def test_a_mask_touches_all_four_sides_of_its_box(outline, scale):
    draws = Draws(1)
    width, height = box_size(outline, scale, draws)

    mask = draw_mask(outline, width, height, draws)

    assert mask.shape == (height, width)
    assert set(np.unique(mask)) <= {0, 255}
    assert mask[0].any() and mask[-1].any()
    assert mask[:, 0].any() and mask[:, -1].any()


@pytest.mark.parametrize('outline', OUTLINES)
def test_a_box_has_the_area_asked_for_and_never_less(outline):
    draws = Draws(2)
    for scale in (10, 23, 24, 65, 300):
        width, height = box_size(outline, scale, draws)
        assert scale <= math.sqrt(width * height) <= scale * 1.15


@pytest.mark.parametrize('outline', OUTLINES)
def test_an_outline_is_one_piece_that_leaves_much_of_its_box_free(outline):
    mask = draw_mask(outline, 200, 200, Draws(3))

    count, _ = cv2.connectedComponents(mask)
    assert count == 2  # ground and outline
    assert 0.3 < (mask > 0).mean() < 0.85


@pytest.mark.parametrize('outline', OUTLINES)
def test_the_body_alone_does_not_give_the_box(outline):
    """Opening with a quarter of the size cuts off what reaches at least two sides."""
    mask = np.pad(draw_mask(outline, 200, 200, Draws(4)), 60)

    body = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((50, 50), np.uint8))

    x, y, width, height = cv2.boundingRect(body)
    overlap = width * height / 200**2  # the body's box lies within the outline's
    assert width and overlap < 0.9


def test_an_outline_is_mirrored_and_tilted_differently_each_time():
    """The head of the steed, its upper third, is on the right or on the left."""
    draws = Draws(5)

    masks = [draw_mask('steed', 60, 60, draws) for _ in range(20)]

    assert len({mask.tobytes() for mask in masks}) > 15
    heads = [np.nonzero(mask[:20])[1].mean() > 30 for mask in masks]
    assert 4 < sum(heads) < 16
