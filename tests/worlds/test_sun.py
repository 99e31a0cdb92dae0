"""SUN scenes: real names, and cues of which no single one names the place."""

from collections import Counter

import numpy as np
import pytest
from mmpretrain.datasets import SUN397

from mmdetxfer.worlds.scenes import SCENE_CLASSES, draw_sun_scene
from mmdetxfer.worlds.sun import ORDERS, PLACES

SEED = 6


def test_names_are_classes_of_sun397():
    assert set(SCENE_CLASSES) <= set(SUN397.METAINFO['classes'])
    assert len(SCENE_CLASSES) >= 12


def test_every_cue_is_shared_but_all_of_them_together_name_the_place():
    places = list(PLACES.values())
    whole = {(frozenset(p.categories), p.ground, p.order) for p in places}
    objects = Counter(key for place in places for key in place.categories)

    assert len(whole) == len(places)
    assert min(objects.values()) >= 2
    assert min(Counter(place.ground for place in places).values()) >= 2
    assert min(Counter(place.order for place in places).values()) >= 2


@pytest.mark.parametrize('name', SCENE_CLASSES)
def test_a_scene_shows_what_stands_at_its_place_and_rarely_a_stray(name):
    scenes = [draw_sun_scene(SEED, index, name) for index in range(16)]
    own = set(PLACES[name].categories)

    assert {scene.scene_class for scene in scenes} == {name}
    assert {scene.kind for scene in scenes} == {'sun'}
    shown = [{item.category for item in scene.objects} for scene in scenes]
    assert np.mean([own <= keys for keys in shown]) > 0.6
    assert np.mean([bool(keys - own) for keys in shown]) < 0.6
    strays = Counter(item.category in own for scene in scenes for item in scene.objects)
    assert strays[True] > 5 * strays[False]


def middles(scene):
    height, width = scene.instances.shape
    boxes = np.array([item.full_box for item in scene.objects], float)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return x / width, y / height


def places_of(order):
    return [place.name for place in PLACES.values() if place.order == order]


@pytest.mark.parametrize('name', places_of('row'))
def test_a_row_has_one_level(name):
    for index in range(6):
        _, y = middles(draw_sun_scene(SEED, index, name))
        assert np.ptp(y) < 0.12


@pytest.mark.parametrize('name', places_of('grid'))
def test_a_grid_has_two_or_three_levels(name):
    for index in range(6):
        _, y = middles(draw_sun_scene(SEED, index, name))
        levels = np.diff(np.sort(y)) > 0.2
        assert levels.sum() + 1 in (2, 3)


@pytest.mark.parametrize('name', places_of('centre'))
def test_a_centre_is_a_large_object_in_the_middle_of_the_first_category(name):
    for index in range(6):
        scene = draw_sun_scene(SEED, index, name)
        largest = int(np.argmax([item.scale_px for item in scene.objects]))
        x, y = middles(scene)
        assert scene.objects[largest].category == PLACES[name].categories[0]
        assert abs(x[largest] - 0.5) < 0.1 and abs(y[largest] - 0.55) < 0.1


@pytest.mark.parametrize('name', places_of('scattered'))
def test_scattered_objects_stand_at_many_levels(name):
    spreads = [
        np.ptp(middles(draw_sun_scene(SEED, index, name))[1]) for index in range(6)
    ]

    assert np.mean(spreads) > 0.3


def test_every_order_is_that_of_a_place():
    assert set(ORDERS) == {place.order for place in PLACES.values()}
