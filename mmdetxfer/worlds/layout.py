"""What stands where in an image: numbers, sizes and positions of objects.

A third of the objects is asked for below 24 px, a third from 24 to 64 and the rest
above, up to the whole image (square root of the area of the whole box). About a third
may overlap others. An object that finds no place in a few trials is left out; on the
whole, large ones are placed first and lie below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np

from .canvas import Canvas, Member, Shape, try_place
from .categories import Category
from .draws import Draws
from .outlines import box_size, draw_mask

MAX_OBJECTS = 15
MIN_SIDE_PX, MAX_SIDE_PX = 192, 384
SMALL_PX, MEDIUM_PX = (10, 23), (24, 64)
_TRIALS = 12
_TRUNCATED_PERCENT = 15
_OVERLAPPING_PERCENT = 38
# Few objects are more likely than many; 15 at most.
_COUNTS = (1,) * 8 + (2,) * 10 + (3, 4, 5) * 9 + (6, 7) * 8 + (8, 9) * 6
_COUNTS += (10, 11) * 4 + (12, 13) * 3 + (14, 15) * 3


@dataclass(frozen=True)
class Request:
    """An object to be placed.

    Args:
        category: Its category.
        scale_px: Square root of the area of its box; of each member of a crowd.
        place: x and y of the box's centre in thousandths of the image, or None.
        is_crowd: Whether to draw a group.
    """

    category: Category
    scale_px: int
    place: tuple[int, int] | None = None
    is_crowd: bool = False


def draw_image_size(draws: Draws) -> tuple[int, int]:
    """Draw height and width, landscape or portrait."""
    return (
        draws.between(MIN_SIDE_PX, MAX_SIDE_PX),
        draws.between(MIN_SIDE_PX, MAX_SIDE_PX),
    )


def draw_count(draws: Draws) -> int:
    """Draw the number of objects of a scene, 1 to 15."""
    return draws.choose(_COUNTS)


def draw_scales(count: int, height: int, width: int, draws: Draws) -> list[int]:
    """Draw the scales of ``count`` objects, a third in each class of size."""
    kinds = [draws.below(3) for _ in range(count)]
    num_large = kinds.count(2)
    most = isqrt(height * width)
    if num_large > 1:
        # They share the image, or most of them would find no place.
        most = max(90, most * 100 // (60 + 40 * num_large))
    scales = []
    for kind in kinds:
        if kind == 2:
            scales.append(draw_large_scale(65, most, draws))
        else:
            scales.append(draws.between(*(SMALL_PX, MEDIUM_PX)[kind]))
    return scales


def draw_large_scale(low: int, high: int, draws: Draws) -> int:
    """Draw a scale from ``low`` to ``high``, each octave being about as likely."""
    steps = [low]
    while steps[-1] * 5 // 4 < high:
        steps.append(steps[-1] * 5 // 4)
    step = draws.choose(steps)
    return draws.between(step, min(high, step * 5 // 4))


def lay_out(
    requests: Sequence[Request], height: int, width: int, draws: Draws
) -> Canvas:
    """Place objects in an image of the given size."""
    canvas = Canvas(np.zeros((height, width), np.uint8))
    order = sorted(
        (-request.scale_px * draws.between(50, 150), number)
        for number, request in enumerate(requests)
    )
    for _, number in order:
        _place(canvas, requests[number], draws)
    return canvas


def _place(canvas: Canvas, request: Request, draws: Draws) -> None:
    shape = _draw_shape(request, *canvas.instances.shape, draws)
    overlaps = draws.percent(_OVERLAPPING_PERCENT)
    for trial in range(_TRIALS):
        x, y = _position(canvas, shape.mask.shape, request.place, overlaps, draws)
        may_hide = overlaps or trial >= _TRIALS - 3
        if try_place(canvas, shape, x, y, may_hide):
            return


def _draw_shape(request: Request, height: int, width: int, draws: Draws) -> Shape:
    outline = request.category.outline
    columns = draws.between(3, 4) if request.is_crowd else 1
    rows = draws.between(2, 3) if request.is_crowd else 1
    size = box_size(outline, request.scale_px, draws)
    member_width, member_height = min(size[0], width), min(size[1], height)
    members = []
    for number in range(columns * rows):
        mask = draw_mask(outline, member_width, member_height, draws)
        x = number % columns * member_width * 7 // 10
        y = number // columns * member_height * 7 // 10
        if request.is_crowd:
            x += draws.below(1 + member_width // 4)
            y += draws.below(1 + member_height // 4)
        members.append(Member(x, y, mask))
    return _joined(request, members)


def _joined(request: Request, members: Sequence[Member]) -> Shape:
    left, top = min(m.x for m in members), min(m.y for m in members)
    moved = tuple(Member(m.x - left, m.y - top, m.mask) for m in members)
    height = max(m.y + m.mask.shape[0] for m in moved)
    width = max(m.x + m.mask.shape[1] for m in moved)
    mask = np.zeros((height, width), bool)
    for m in moved:
        rows, columns = m.mask.shape
        mask[m.y : m.y + rows, m.x : m.x + columns] |= m.mask > 0
    return Shape(request.category, moved, mask, request.is_crowd)


def _position(
    canvas: Canvas,
    size: tuple[int, int],
    place: tuple[int, int] | None,
    overlaps: bool,
    draws: Draws,
) -> tuple[int, int]:
    """Draw the left and top side of a box of ``size`` (height and width)."""
    height, width = canvas.instances.shape
    free_x, free_y = max(0, width - size[1]), max(0, height - size[0])
    if place is not None:
        x = width * place[0] // 1000 - size[1] // 2 + draws.between(-9, 9)
        y = height * place[1] // 1000 - size[0] // 2 + draws.between(-9, 9)
        return x, y
    x, y = draws.between(0, free_x), draws.between(0, free_y)
    if draws.percent(_TRUNCATED_PERCENT):
        return _over_border((x, y), size, (height, width), draws)
    if overlaps and canvas.placed:
        other = draws.choose(canvas.placed)
        rows, columns = other.shape.mask.shape
        x = other.x + draws.between(-size[1] * 3 // 4, columns - size[1] // 4)
        y = other.y + draws.between(-size[0] * 3 // 4, rows - size[0] // 4)
        return max(0, min(x, free_x)), max(0, min(y, free_y))
    return x, y


def _over_border(
    place: tuple[int, int],
    size: tuple[int, int],
    image_size: tuple[int, int],
    draws: Draws,
) -> tuple[int, int]:
    """Move a box over one border: 8 to 55 % of it will lie outside."""
    x, y = place
    axis = draws.below(2)
    out = max(1, size[axis] * draws.between(8, 55) // 100)
    moved = draws.choose((-out, image_size[axis] - size[axis] + out))
    return (x, moved) if axis == 0 else (moved, y)
