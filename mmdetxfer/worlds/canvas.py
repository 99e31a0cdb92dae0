"""Laying silhouettes on one another: which pixel shows which object.

Objects are laid on one another like paper. A later one may hide parts of those before
it, but each keeps at least ``MIN_VISIBLE_PERCENT`` of the pixels it has inside the
image, and ``MIN_VISIBLE_PIXELS``; at least ``MIN_INSIDE_PERCENT`` of all its pixels lie
inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .categories import Category

MIN_VISIBLE_PERCENT = 25
MIN_VISIBLE_PIXELS = 20
MIN_INSIDE_PERCENT = 35


@dataclass(frozen=True)
class Member:
    """One silhouette relative to its group's box: x, y and (h, w) mask, 0 or 255."""

    x: int
    y: int
    mask: np.ndarray


@dataclass(frozen=True)
class Shape:
    """What is placed as one object: a silhouette, or the group of a crowd.

    Args:
        category: Its category.
        members: Its silhouettes.
        mask: (h, w) bool, all of them together; touches the four sides of the box.
        is_crowd: Whether it is a group.
    """

    category: Category
    members: tuple[Member, ...]
    mask: np.ndarray
    is_crowd: bool


@dataclass(frozen=True)
class Placed:
    """A shape at its place.

    Args:
        shape: The shape.
        x: Left side of its box in the image; may be negative.
        y: Top side of its box; may be negative.
        inside: Number of its pixels inside the image.
    """

    shape: Shape
    x: int
    y: int
    inside: int


@dataclass
class Canvas:
    """The objects placed so far.

    Args:
        instances: (H, W) uint8: 0, or the number (from 1) of the object on top.
        placed: The objects, in the order in which they were laid.
        visible: For each, the number of pixels that still show.
    """

    instances: np.ndarray
    placed: list[Placed] = field(default_factory=list)
    visible: list[int] = field(default_factory=list)


def visible_part(
    mask: np.ndarray, x: int, y: int, height: int, width: int
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return the image slices that a mask at (x, y) covers, and its part there."""
    rows, columns = mask.shape
    top, left = max(0, y), max(0, x)
    bottom, right = max(top, min(height, y + rows)), max(left, min(width, x + columns))
    part = mask[top - y : bottom - y, left - x : right - x]
    return (slice(top, bottom), slice(left, right)), part


def try_place(canvas: Canvas, shape: Shape, x: int, y: int, may_hide: bool) -> bool:
    """Lay a shape on the canvas unless too little of it or of another would be seen.

    Args:
        canvas: Changed in place when the shape is laid.
        shape: The shape.
        x: Left side of its box.
        y: Top side of its box.
        may_hide: Whether it may hide more than one hundredth of another object.

    Returns:
        Whether it was laid.
    """
    where, mask = visible_part(shape.mask, x, y, *canvas.instances.shape)
    inside = int(np.count_nonzero(mask))
    pixels = int(np.count_nonzero(shape.mask))
    if inside < MIN_VISIBLE_PIXELS or inside * 100 < pixels * MIN_INSIDE_PERCENT:
        return False
    below = canvas.instances[where][mask]
    hidden = np.bincount(below, minlength=len(canvas.placed) + 1)[1:].tolist()
    for number, pixels_hidden in enumerate(hidden):
        if not pixels_hidden:
            continue
        whole, left = canvas.placed[number].inside, canvas.visible[number]
        if not may_hide and pixels_hidden * 100 > whole:
            return False
        left -= pixels_hidden
        if left < MIN_VISIBLE_PIXELS or left * 100 < whole * MIN_VISIBLE_PERCENT:
            return False
    canvas.visible = [
        left - gone for left, gone in zip(canvas.visible, hidden, strict=True)
    ]
    canvas.placed.append(Placed(shape, x, y, inside))
    canvas.visible.append(inside)
    canvas.instances[where][mask] = len(canvas.placed)
    return True
