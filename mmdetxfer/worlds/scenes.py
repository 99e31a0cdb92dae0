"""Scenes of the embedded world: pure functions from a seed to pixels and labels.

Drawn with integer arithmetic only (64-bit counters, integer polygons, tables), so that
the arrays are equal on every machine, with any number of threads and with OpenCV's
optimisation on or off. ``WORLD_VERSION`` names what is drawn: it changes whenever a
scene changes, and only then; a test holds the hash of version and scenes.

An image depends on the arguments of its function alone: any one can be drawn by itself,
in any process, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Literal

import numpy as np

from .backgrounds import DOMAIN_GROUNDS, paint_clutter, paint_ground
from .canvas import Canvas
from .categories import (
    CATEGORIES,
    DOMAINS,
    Category,
    Domain,
    categories_of,
    category_of,
)
from .draws import Draws
from .labels import SceneObject, describe
from .layout import (
    MAX_OBJECTS,
    Request,
    draw_count,
    draw_image_size,
    draw_large_scale,
    draw_scales,
    lay_out,
)
from .painting import Picture
from .palettes import OBJECT_PAIRS
from .sun import PLACES, draw_requests, place_of
from .textures import Pattern

WORLD_VERSION = 1
SCENE_CLASSES = tuple(PLACES)
_SCENE, _SINGLE_CLASS, _SUN = 1, 2, 3
_CROWD_PERCENT = 8
_CLUTTER = (4, 12)


@dataclass(frozen=True)
class Scene:
    """One drawn image and everything that is known about it.

    Args:
        image: (H, W, 3) uint8, RGB.
        instances: (H, W) uint8: 0 background, i the visible pixels of object i
            (counted from 1, in the order of ``objects``).
        objects: The labelled objects; every one of them has visible pixels.
        kind: 'scene', 'single_class' or 'sun'.
        scene_class: SUN-397 name of the scene, for kind 'sun'.
    """

    image: np.ndarray
    instances: np.ndarray
    objects: tuple[SceneObject, ...]
    kind: Literal['scene', 'single_class', 'sun']
    scene_class: str | None = None


def draw_scene(seed: int, index: int, domain: Domain) -> Scene:
    """Draw a scene of one to four categories of a domain and up to 15 objects.

    Args:
        seed: Seed of the stream of images.
        index: Number of the image in the stream.
        domain: 'source' or 'target'.
    """
    categories = categories_of(domain)
    draws = Draws(_SCENE, DOMAINS.index(domain), seed, index)
    height, width = draw_image_size(draws)
    count = draw_count(draws)
    present = draws.shuffled(categories)[: draws.between(1, 4)]
    requests = [
        Request(draws.choose(present), scale)
        for scale in draw_scales(count, height, width, draws)
    ]
    if draws.percent(_CROWD_PERCENT):
        requests[-1] = Request(
            draws.choose(present), draws.between(14, 30), is_crowd=True
        )
    canvas = lay_out(requests, height, width, draws)
    ground = draws.choose(DOMAIN_GROUNDS[domain])
    image = _paint(canvas, ground, domain, draws)
    return Scene(image, canvas.instances, describe(canvas), 'scene')


def draw_single_class(
    seed: int,
    index: int,
    category: str,
    domain: Domain,
    num_objects: int | None = None,
) -> Scene:
    """Draw an image whose objects are all of one category.

    Args:
        seed: Seed of the stream of images.
        index: Number of the image in the stream.
        category: Key of the category.
        domain: Decides palette and background.
        num_objects: Number of objects to place, as far as there is room; None draws 1
            (6 of 10 images) to 4.
    """
    if num_objects is not None and not 1 <= num_objects <= MAX_OBJECTS:
        raise ValueError(f'num_objects must be 1 to {MAX_OBJECTS}, got {num_objects}')
    if domain not in DOMAINS:
        raise ValueError(f'domain must be one of {DOMAINS}, got {domain!r}')
    chosen = category_of(category)
    key = (DOMAINS.index(domain), CATEGORIES.index(chosen))
    draws = Draws(_SINGLE_CLASS, *key, seed, index)
    height, width = draw_image_size(draws)
    drawn = draws.choose((1, 1, 1, 1, 1, 1, 2, 2, 3, 4))
    count = drawn if num_objects is None else num_objects
    most = max(40, isqrt(height * width) * 100 // (60 + 40 * count))
    requests = [
        Request(chosen, draw_large_scale(36, most, draws)) for _ in range(count)
    ]
    canvas = lay_out(requests, height, width, draws)
    ground = draws.choose(DOMAIN_GROUNDS[domain])
    image = _paint(canvas, ground, domain, draws)
    return Scene(image, canvas.instances, describe(canvas), 'single_class')


def draw_sun_scene(seed: int, index: int, scene_class: str) -> Scene:
    """Draw a scene of a SUN-397 class, in the colours of the target domain.

    Args:
        seed: Seed of the stream of images.
        index: Number of the image in the stream.
        scene_class: One of ``SCENE_CLASSES``.
    """
    place = place_of(scene_class)
    draws = Draws(_SUN, SCENE_CLASSES.index(scene_class), seed, index)
    height, width = draw_image_size(draws)
    requests = draw_requests(place, height, width, draws)
    canvas = lay_out(requests, height, width, draws)
    image = _paint(canvas, place.ground, 'target', draws)
    return Scene(image, canvas.instances, describe(canvas), 'sun', scene_class)


def _paint(canvas: Canvas, ground: str, domain: Domain, draws: Draws) -> np.ndarray:
    picture = Picture(*canvas.instances.shape)
    paint_ground(picture, ground, domain, draws)
    paint_clutter(picture, draws.between(*_CLUTTER), domain, draws)
    for placed in canvas.placed:
        for member in placed.shape.members:
            x, y = placed.x + member.x, placed.y + member.y
            pattern = _surface(placed.shape.category, draws)
            colours = draws.choose(OBJECT_PAIRS[domain])
            picture.paint(member.mask, x, y, pattern, colours)
    return picture.render(draws)


def _surface(category: Category, draws: Draws) -> Pattern:
    """Draw an object's pattern: its category's, a little turned and stretched."""
    degrees, period = category.texture
    return Pattern(
        category.texture_family,
        degrees * draws.choose((1, -1)) + draws.between(-5, 5),
        period * 16 * draws.between(94, 106) // 100,
        draws.below(65536),
        draws.below(65536),
    )
