"""The embedded world: labelled scenes drawn from a seed, in real folder layouts.

``scenes`` draws, ``world`` writes whole data sets through one writer a format, and
``categories`` tells what there is and what the real data sets call it.
"""

from .categories import CATEGORIES, Category, categories_of, category_of
from .scenes import (
    SCENE_CLASSES,
    WORLD_VERSION,
    Scene,
    SceneObject,
    draw_scene,
    draw_single_class,
    draw_sun_scene,
)
from .world import FORMATS, make_world, split_sizes

__all__ = [
    'CATEGORIES',
    'FORMATS',
    'SCENE_CLASSES',
    'WORLD_VERSION',
    'Category',
    'Scene',
    'SceneObject',
    'categories_of',
    'category_of',
    'draw_scene',
    'draw_single_class',
    'draw_sun_scene',
    'make_world',
    'split_sizes',
]
