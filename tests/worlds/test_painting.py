"""Painting: through masks, over borders, and what light and grain may change."""

import cv2
import numpy as np
import pytest

from mmdetxfer.worlds.backgrounds import (
    DOMAIN_GROUNDS,
    GROUNDS,
    paint_clutter,
    paint_ground,
)
from mmdetxfer.worlds.draws import Draws
from mmdetxfer.worlds.painting import Picture
from mmdetxfer.worlds.palettes import OBJECT_PAIRS, PALETTES, luma, shifted
from mmdetxfer.worlds.textures import Pattern

STRIPES = Pattern('stripes', 0, 8 * 16, 0, 0)
BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)
LARGEST_CHANGE = 26 + 10  # blotches and grain


def rendered(picture):
    return picture.render(Draws(1)).astype(int)


def test_a_pattern_shows_through_the_mask_alone():
    """Stripes of 4 px black and 4 px white from x = 10 on, on grey."""
    picture = Picture(40, 60)
    picture.paint(np.full((40, 60), 255, np.uint8), 0, 0, STRIPES, (GREY, GREY))
    picture.paint(np.full((10, 16), 255, np.uint8), 10, 5, STRIPES, (BLACK, WHITE))

    image = rendered(picture)

    assert (image[5:15, 10:14] <= LARGEST_CHANGE).all()
    assert (image[5:15, 14:18] >= 255 - LARGEST_CHANGE).all()
    assert (image[5:15, 18:22] <= LARGEST_CHANGE).all()
    outside = np.ones((40, 60), bool)
    outside[5:15, 10:26] = False
    assert (abs(image[outside] - 128) <= LARGEST_CHANGE).all()


def test_a_mask_may_reach_over_the_border_or_lie_outside():
    picture = Picture(20, 20)
    whole = np.full((20, 20), 255, np.uint8)
    picture.paint(whole, 0, 0, STRIPES, (GREY, GREY))
    picture.paint(whole, -15, 10, STRIPES, (BLACK, BLACK))
    picture.paint(whole, 50, 50, STRIPES, (WHITE, WHITE))

    image = rendered(picture)

    assert (image[10:, :5] <= LARGEST_CHANGE).all()
    assert (abs(image[:10] - 128) <= LARGEST_CHANGE).all()
    assert (abs(image[:, 5:] - 128) <= LARGEST_CHANGE).all()


def test_light_and_grain_break_an_area_of_one_colour_into_many():
    picture = Picture(60, 60)
    picture.paint(np.full((60, 60), 255, np.uint8), 0, 0, STRIPES, (GREY, GREY))

    image = rendered(picture)

    assert len(np.unique(image // 32)) > 1
    assert abs(image.mean() - 128) < 6
    # Grain goes away in the mean of 5 x 5 pixels, uneven light does not.
    assert np.ptp(cv2.blur(image.astype(np.uint8), (5, 5))) > 30
    # Light is the same in all channels, grain is not.
    assert (image[..., 0] != image[..., 1]).mean() > 0.8


def test_colours_beyond_256_are_refused_rather_than_mixed_up():
    picture = Picture(4, 4)
    mask = np.full((4, 4), 255, np.uint8)
    for _ in range(128):
        picture.paint(mask, 0, 0, STRIPES, (BLACK, WHITE))

    with pytest.raises(AssertionError, match='256 colours'):
        picture.paint(mask, 0, 0, STRIPES, (BLACK, WHITE))


@pytest.mark.parametrize('kind', GROUNDS)
@pytest.mark.parametrize('size', [(192, 384), (384, 192)])
def test_a_ground_covers_the_whole_picture_with_a_few_colours(kind, size):
    """White shows through where nothing was painted over it."""
    picture = Picture(*size)
    whole = np.full(size, 255, np.uint8)
    picture.paint(whole, 0, 0, STRIPES, ((255, 0, 255), (255, 0, 255)))

    paint_ground(picture, kind, 'source', Draws(2))

    image = rendered(picture)
    magenta = (image[..., 0] > 200) & (image[..., 1] < 60) & (image[..., 2] > 200)
    assert not magenta.any()


@pytest.mark.parametrize('kind', GROUNDS)
def test_grounds_have_low_contrast_in_most_places(kind):
    """Tones differ by 26 at most; light and grain add up to 36 to either side."""
    picture = Picture(240, 240)
    paint_ground(picture, kind, 'target', Draws(4))

    blocks = rendered(picture).mean(axis=2).reshape(24, 10, 24, 10)

    spreads = np.ptp(blocks, axis=(1, 3))
    assert np.mean(spreads <= 26 + 2 * LARGEST_CHANGE) > 0.7


def test_domains_have_grounds_of_their_own():
    assert not set(DOMAIN_GROUNDS['source']) & set(DOMAIN_GROUNDS['target'])
    assert set(DOMAIN_GROUNDS['source']) | set(DOMAIN_GROUNDS['target']) == set(GROUNDS)


def test_more_clutter_changes_more_of_a_picture():
    changed = []
    for count in (0, 4, 40):
        picture = Picture(200, 200)
        whole = np.full((200, 200), 255, np.uint8)
        picture.paint(whole, 0, 0, STRIPES, (GREY, GREY))
        paint_clutter(picture, count, 'target', Draws(3))
        changed.append(np.mean(abs(rendered(picture) - 128) > LARGEST_CHANGE))

    assert changed[0] == 0
    assert 0 < changed[1] < changed[2]


@pytest.mark.parametrize('domain', PALETTES)
def test_the_tones_of_an_object_differ_in_brightness(domain):
    contrasts = [abs(luma(a) - luma(b)) for a, b in OBJECT_PAIRS[domain]]

    assert 72 <= min(contrasts) and max(contrasts) <= 150
    used = {colour for pair in OBJECT_PAIRS[domain] for colour in pair}
    assert used == set(PALETTES[domain])


def test_palettes_share_no_colour_and_brightness_follows_its_weights():
    """(77, 150, 29) / 256 of full red, green and blue: 76, 149, 28."""
    assert not set(PALETTES['source']) & set(PALETTES['target'])
    assert [luma(c) for c in ((255, 0, 0), (0, 255, 0), (0, 0, 255))] == [76, 149, 28]
    assert luma(WHITE) == 255
    assert shifted((250, 128, 5), 10) == (255, 138, 15)
    assert shifted((250, 128, 5), -10) == (240, 118, 0)
