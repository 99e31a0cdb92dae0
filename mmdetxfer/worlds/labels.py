"""What is known about the objects of a canvas: boxes, occlusion, truncation.

Conventions: boxes are x1, y1, x2, y2 of pixels, 0-based and inclusive. Occlusion counts
the pixels that other objects hide among those inside the image; what the border cuts
off is truncation. Levels as in Hoiem et al. 2012: none (under 1 %), low (to 10 %),
medium (to 50 %), high.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import Canvas, Placed, visible_part

Box = tuple[int, int, int, int]
_DIFFICULT_PERCENT = 40
_DIFFICULT_PIXELS = 36


@dataclass(frozen=True)
class SceneObject:
    """One labelled object.

    Args:
        category: Key of its category.
        box: x1, y1, x2, y2 of the visible part.
        full_box: The same before occlusion and border; may lie outside the image.
        occlusion: 0 none, 1 low, 2 medium, 3 high.
        occluded_share: Share of the pixels inside the image that others hide.
        is_truncated: Part of it lies outside the image.
        is_difficult: Under 40 % or under 36 pixels of it can be seen, or it is a crowd.
        is_crowd: A group of one category, drawn and labelled as one.
        outline: Name of the outline.
        texture_family: Name of the texture family.
        scale_px: Square root of the area of ``full_box``.
    """

    category: str
    box: Box
    full_box: Box
    occlusion: int
    occluded_share: float
    is_truncated: bool
    is_difficult: bool
    is_crowd: bool
    outline: str
    texture_family: str
    scale_px: float


def describe(canvas: Canvas) -> tuple[SceneObject, ...]:
    """Return the labels of a canvas's objects, in the order of their numbers."""
    return tuple(
        _describe_one(canvas.instances, number, placed, visible)
        for number, (placed, visible) in enumerate(
            zip(canvas.placed, canvas.visible, strict=True), 1
        )
    )


def _describe_one(
    instances: np.ndarray, number: int, placed: Placed, visible: int
) -> SceneObject:
    shape, (height, width) = placed.shape, placed.shape.mask.shape
    pixels = int(np.count_nonzero(shape.mask))
    hidden = placed.inside - visible
    hard_to_see = (
        visible * 100 < pixels * _DIFFICULT_PERCENT or visible < _DIFFICULT_PIXELS
    )
    return SceneObject(
        category=shape.category.key,
        box=_visible_box(instances, number, placed),
        full_box=(placed.x, placed.y, placed.x + width - 1, placed.y + height - 1),
        occlusion=occlusion_level(hidden, placed.inside),
        occluded_share=hidden / placed.inside,
        is_truncated=placed.inside < pixels,
        is_difficult=shape.is_crowd or hard_to_see,
        is_crowd=shape.is_crowd,
        outline=shape.category.outline,
        texture_family=shape.category.texture_family,
        scale_px=math.sqrt(height * width),
    )


def _visible_box(instances: np.ndarray, number: int, placed: Placed) -> Box:
    (rows, columns), _ = visible_part(
        placed.shape.mask, placed.x, placed.y, *instances.shape
    )
    seen = (instances[rows, columns] == number).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(seen)
    x, y = x + columns.start, y + rows.start
    return x, y, x + width - 1, y + height - 1


def occlusion_level(hidden: int, inside: int) -> int:
    """Return 0 to 3 for ``hidden`` of ``inside`` pixels: under 1, to 10, to 50 %."""
    if hidden * 100 < inside:
        return 0
    if hidden * 10 <= inside:
        return 1
    return 2 if hidden * 2 <= inside else 3
