"""What stands behind the objects: grounds of a few kinds, and textured clutter.

Grounds have low contrast; clutter (blobs and strokes) has the texture families of the
objects at directions and periods that no category has. Nothing here is labelled, and
nothing here hides an object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isqrt

import numpy as np

from .categories import Domain
from .draws import Draws
from .filling import fill_parts
from .painting import Picture
from .palettes import CLUTTER_PAIRS, PALETTES, shifted
from .textures import FAMILIES, ONE, Pattern, cosine, sine

# No category has one of these directions together with one of these periods.
CLUTTER_DEGREES = (22, 68)
CLUTTER_PERIODS_PX = (4, 5, 15, 18)
_GROUND_PERIODS_PX = (24, 30, 38)


def paint_ground(picture: Picture, kind: str, domain: Domain, draws: Draws) -> None:
    """Paint a ground of the given kind over the whole picture."""
    whole = np.full(picture.size, 255, np.uint8)
    for mask in (whole, *GROUNDS[kind](*picture.size, draws)):
        base = shifted(draws.choose(PALETTES[domain]), draws.between(-12, 12))
        contrast = draws.between(6, 26)
        colours = (shifted(base, -contrast // 2), shifted(base, contrast // 2))
        pattern = _draw_pattern(_GROUND_PERIODS_PX, draws.below(180), draws)
        picture.paint(mask, 0, 0, pattern, colours)


def paint_clutter(picture: Picture, count: int, domain: Domain, draws: Draws) -> None:
    """Paint ``count`` pieces of clutter: textured blobs and strokes."""
    height, width = picture.size
    for _ in range(count):
        reach = draws.choose((8, 12, 18, 26, 40))
        mask = _blob(reach, draws) if draws.percent(60) else _stroke(reach, draws)
        side = len(mask)
        x, y = draws.between(0, width - side), draws.between(0, height - side)
        degrees = draws.choose(CLUTTER_DEGREES) * draws.choose((1, -1))
        pattern = _draw_pattern(CLUTTER_PERIODS_PX, degrees, draws)
        picture.paint(mask, x, y, pattern, draws.choose(CLUTTER_PAIRS[domain]))


def _draw_pattern(periods_px: Sequence[int], degrees: int, draws: Draws) -> Pattern:
    return Pattern(
        draws.choose(tuple(FAMILIES)),
        degrees,
        draws.choose(periods_px) * 16,
        draws.below(65536),
        draws.below(65536),
    )


def _blob(reach: int, draws: Draws) -> np.ndarray:
    """Return the square mask of an angular blob."""
    number = draws.between(5, 9)
    points = []
    for corner in range(number):
        angle = 360 * corner // number + draws.between(-15, 15)
        radius = reach * draws.between(45, 100) // 100
        x = reach + radius * cosine(angle) // ONE
        points.append((x, reach + radius * sine(angle) // ONE))
    side = 2 * reach + 1
    return fill_parts(np.array(points), (number,), side, side)


def _stroke(reach: int, draws: Draws) -> np.ndarray:
    """Return the square mask of three thick lines, end to end."""
    side, half = 2 * reach + 1, draws.between(1, 3)
    stops = [
        (draws.between(half, side - 1 - half), draws.between(half, side - 1 - half))
        for _ in range(4)
    ]
    points = []
    for (x1, y1), (x2, y2) in pairwise(stops):
        length = max(1, isqrt((x2 - x1) ** 2 + (y2 - y1) ** 2))
        across, down = -(y2 - y1) * half // length, (x2 - x1) * half // length
        points += [(x1 + across, y1 + down), (x2 + across, y2 + down)]
        points += [(x2 - across, y2 - down), (x1 - across, y1 - down)]
    inside = np.clip(np.array(points), 0, side - 1)
    return fill_parts(inside, (4, 8, 12), side, side)


def _below(levels: Sequence[int], height: int, width: int) -> np.ndarray:
    """Return the mask of what lies below a line through levels at equal distances."""
    steps = len(levels) - 1
    places = np.arange(width) * steps
    step, part = places // width, places % width
    line = np.array(levels)
    level = line[step] + (line[step + 1] - line[step]) * part // width
    return (np.arange(height)[:, None] >= level).astype(np.uint8) * np.uint8(255)


def _horizon(height: int, width: int, draws: Draws) -> list[np.ndarray]:
    """A lower part with an uneven upper edge, before an upper part."""
    level = height * draws.between(30, 60) // 100
    ridge = [level + draws.between(-height // 14, height // 14) for _ in range(6)]
    return [_below(ridge, height, width)]


def _bands(height: int, width: int, draws: Draws) -> list[np.ndarray]:
    """Slanting bands from side to side."""
    masks = []
    number = draws.between(2, 4)
    for band in range(1, number):
        ends = [
            height * band // number + draws.between(-height // 6, height // 6)
            for _ in range(2)
        ]
        masks.append(_below(ends, height, width))
    return masks


def _panels(height: int, width: int, draws: Draws) -> list[np.ndarray]:
    """Upright rectangles before a plain wall."""
    masks = []
    for _ in range(draws.between(2, 4)):
        x, y = draws.below(width), draws.below(height)
        half_x, half_y = draws.between(20, width // 3), draws.between(20, height // 3)
        mask = np.zeros((height, width), np.uint8)
        mask[max(0, y - half_y) : y + half_y, max(0, x - half_x) : x + half_x] = 255
        masks.append(mask)
    return masks


def _floor(height: int, width: int, draws: Draws) -> list[np.ndarray]:
    """A floor below a wall, with a straight edge."""
    level = height * draws.between(50, 75) // 100
    return [_below((level, level), height, width)]


GROUNDS: dict[str, Callable[[int, int, Draws], list[np.ndarray]]] = dict(
    horizon=_horizon, bands=_bands, panels=_panels, floor=_floor
)
DOMAIN_GROUNDS: dict[Domain, tuple[str, ...]] = dict(
    source=('horizon', 'bands'), target=('panels', 'floor')
)
