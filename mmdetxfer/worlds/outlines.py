"""Outlines: silhouettes as polygons of integer corners.

Every outline stands in a box of 1000 x 1000 units, y pointing down; its parts are
filled one after the other. Bodies are stout, so that a patch of texture fits in, while
thin parts (wings, legs, ears, a tail) reach the box's sides: the body alone does not
give the box. An outline's natural aspect is its height in hundredths of its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import isqrt

import numpy as np

from .draws import Draws
from .filling import fill_parts
from .textures import ONE, cosine, sine

Polygon = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Outline:
    """A silhouette: polygons, and height in hundredths of the width."""

    aspect: int
    parts: tuple[Polygon, ...]


def _box(x1: int, y1: int, x2: int, y2: int) -> Polygon:
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def _ellipse(x1: int, y1: int, x2: int, y2: int) -> Polygon:
    radius_x, radius_y = x2 - x1, y2 - y1
    return tuple(
        (
            (x1 + x2 + radius_x * cosine(angle) // ONE) // 2,
            (y1 + y2 + radius_y * sine(angle) // ONE) // 2,
        )
        for angle in range(0, 360, 20)
    )


def _petals(x: int, y: int, reach: int, width: int, count: int) -> tuple[Polygon, ...]:
    """Return petals around a centre: kites of the given reach and half width."""
    petals = []
    for number in range(count):
        angle = 360 * number // count
        along = (cosine(angle), sine(angle))
        wide = reach * 2 // 3
        corners = ((0, 0), (wide, -width), (reach, 0), (wide, width))
        petals.append(
            tuple(
                (
                    x + (u * along[0] - v * along[1]) // ONE,
                    y + (u * along[1] + v * along[0]) // ONE,
                )
                for u, v in corners
            )
        )
    return tuple(petals)


OUTLINES: dict[str, Outline] = dict(
    winged=Outline(
        82,
        (
            _ellipse(90, 290, 1000, 710),
            ((330, 400), (440, 0), (600, 0), (700, 400)),
            ((330, 600), (440, 1000), (600, 1000), (700, 600)),
            ((0, 170), (130, 170), (330, 500), (130, 830), (0, 830), (80, 500)),
        ),
    ),
    cabin=Outline(
        62,
        (
            ((0, 420), (940, 380), (1000, 500), (1000, 820), (0, 820)),
            ((150, 440), (280, 0), (680, 0), (820, 440)),
            _ellipse(110, 640, 330, 1000),
            _ellipse(670, 640, 890, 1000),
        ),
    ),
    wagon=Outline(
        58,
        (
            _box(0, 0, 640, 800),
            ((600, 260), (880, 260), (1000, 520), (1000, 800), (600, 800)),
            _ellipse(60, 680, 240, 1000),
            _ellipse(330, 680, 510, 1000),
            _ellipse(760, 680, 940, 1000),
        ),
    ),
    cycle=Outline(
        66,
        (
            _ellipse(0, 400, 420, 1000),
            _ellipse(580, 400, 1000, 1000),
            ((170, 620), (330, 250), (700, 250), (840, 620), (560, 760), (400, 760)),
            _box(200, 120, 420, 240),
            ((640, 0), (880, 0), (880, 110), (760, 110), (760, 320), (650, 320)),
        ),
    ),
    quadruped=Outline(
        78,
        (
            _ellipse(90, 220, 830, 720),
            ((690, 60), (880, 0), (1000, 180), (960, 400), (760, 480), (650, 350)),
            ((160, 500), (310, 500), (290, 1000), (180, 1000)),
            ((370, 560), (480, 560), (460, 1000), (360, 1000)),
            ((640, 500), (790, 500), (800, 1000), (690, 1000)),
            ((0, 180), (70, 160), (180, 380), (120, 460)),
        ),
    ),
    upright=Outline(
        140,
        (
            _ellipse(60, 380, 940, 1000),
            _ellipse(230, 110, 770, 520),
            ((230, 320), (270, 0), (450, 160)),
            ((770, 320), (730, 0), (550, 160)),
            ((760, 800), (1000, 560), (1000, 720), (860, 960)),
            _box(0, 900, 320, 1000),
        ),
    ),
    steed=Outline(
        112,
        (
            ((90, 460), (760, 400), (880, 520), (820, 760), (160, 760), (60, 620)),
            ((600, 500), (740, 60), (860, 0), (1000, 180), (930, 250), (880, 640)),
            ((110, 680), (270, 680), (250, 1000), (130, 1000)),
            ((660, 680), (820, 680), (830, 1000), (710, 1000)),
            ((0, 480), (110, 450), (130, 560), (70, 800), (0, 800)),
        ),
    ),
    pedestal=Outline(
        88,
        (
            ((0, 0), (1000, 0), (940, 560), (60, 560)),
            _box(400, 500, 600, 920),
            ((210, 860), (790, 860), (860, 1000), (140, 1000)),
        ),
    ),
    blossom=Outline(
        100,
        (_ellipse(250, 250, 750, 750), *_petals(500, 500, 500, 150, 7)),
    ),
    stalk=Outline(
        150,
        (
            _ellipse(170, 0, 830, 520),
            ((0, 60), (240, 100), (400, 400), (240, 500)),
            ((1000, 60), (760, 100), (600, 400), (760, 500)),
            _box(430, 460, 570, 1000),
            ((500, 840), (940, 640), (880, 860), (520, 960)),
        ),
    ),
)


def box_size(outline: str, scale_px: int, draws: Draws) -> tuple[int, int]:
    """Draw width and height of an outline's box; its area is ``scale_px`` squared."""
    aspect = OUTLINES[outline].aspect * draws.between(80, 125) // 100
    width = max(3, isqrt(scale_px * scale_px * 100 // aspect))
    height = max(3, -(-scale_px * scale_px // width))
    return width, height


def draw_mask(outline: str, width: int, height: int, draws: Draws) -> np.ndarray:
    """Return the (height, width) uint8 mask (0 or 255) of an outline.

    It is mirrored or not and tilted by up to 12 degrees, then stretched so that it
    touches all four sides of the box.
    """
    across, down, ends = _corners(outline)
    degrees = draws.between(-12, 12)
    across = across * draws.choose((1, -1))
    turned_x = across * cosine(degrees) - down * sine(degrees)
    turned_y = across * sine(degrees) + down * cosine(degrees)
    points = np.stack(
        [_stretched(turned_x, width - 1), _stretched(turned_y, height - 1)], axis=1
    )
    return fill_parts(points, ends, height, width)


@lru_cache(maxsize=len(OUTLINES))
def _corners(outline: str) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Return x and y of all corners about the centre, and where each part ends."""
    shape = OUTLINES[outline]
    points = np.array([corner for part in shape.parts for corner in part], np.int64)
    ends = tuple(accumulate(len(part) for part in shape.parts))
    return points[:, 0] - 500, (points[:, 1] - 500) * shape.aspect // 100, ends


def _stretched(values: np.ndarray, size: int) -> np.ndarray:
    """Return the values moved and scaled so that they run from 0 to ``size``."""
    low, high = int(values.min()), int(values.max())
    span = high - low
    return ((values - low) * (2 * size) + span) // (2 * span)
