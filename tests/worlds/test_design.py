"""The design of the world: a patch names an object, only the outline gives its box.

Three simple methods are held against it. What a patch says is measured by logistic
regression on its power spectrum and gradient histogram, and on its mean colour; whether
boxes come for free by a finder of connected components.
"""

from functools import cache

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmdetxfer.worlds.palette_png import voc_palette
from mmdetxfer.worlds.scenes import draw_scene

DOMAINS = ('source', 'target')
PATCH_PX = 24
MIN_COMPONENT_PX = 25


@cache
def scenes(domain, number):
    return [draw_scene(31, index, domain) for index in range(number)]


@cache
def patches(domain):
    """Return one patch of each object over 48 px with room for one, and its category.

    The patch is the one nearest to the middle of all that lie inside its visible part.
    """
    found = []
    square = np.ones((PATCH_PX, PATCH_PX), np.uint8)
    for scene in scenes(domain, 240):
        for number, item in enumerate(scene.objects, 1):
            if item.scale_px <= 48:
                continue
            mask = (scene.instances == number).astype(np.uint8)
            fits = cv2.erode(
                mask, square, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT
            )
            fits[-PATCH_PX + 1 :], fits[:, -PATCH_PX + 1 :] = 0, 0
            rows, columns = np.nonzero(fits)
            if len(rows):
                place = len(rows) // 2
                y, x = rows[place], columns[place]
                inner = mask[y : y + PATCH_PX, x : x + PATCH_PX]
                assert inner.all() and inner.shape == square.shape
                patch = scene.image[y : y + PATCH_PX, x : x + PATCH_PX]
                found.append((patch.astype(float), item.category))
    return found


def spectrum_and_gradients(patch):
    grey = patch @ [0.299, 0.587, 0.114]
    window = np.hanning(PATCH_PX)[:, None] * np.hanning(PATCH_PX)
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    down, across = np.gradient(grey)
    angles, strengths = np.arctan2(down, across), np.hypot(down, across)
    histogram, _ = np.histogram(angles, 16, (-np.pi, np.pi), weights=strengths)
    return np.concatenate([np.log1p(power).ravel(), histogram / histogram.sum()])


def accuracy(features, names):
    """Train on two thirds, return the share of the last third that is named right."""
    split = len(names) * 2 // 3
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    model.fit(features[:split], names[:split])
    return model.score(features[split:], names[split:])


@pytest.mark.parametrize('domain', DOMAINS)
def test_the_spectrum_of_a_small_patch_names_the_object(domain):
    names = [name for _, name in patches(domain)]
    features = np.array([spectrum_and_gradients(patch) for patch, _ in patches(domain)])

    assert len(names) > 400
    assert accuracy(features, names) > 0.9  # above 0.8 is asked for


@pytest.mark.parametrize('domain', DOMAINS)
def test_the_mean_colour_of_a_patch_does_not_name_the_object(domain):
    names = [name for _, name in patches(domain)]
    features = np.array([patch.mean(axis=(0, 1)) for patch, _ in patches(domain)])

    assert accuracy(features, names) < 0.3


def component_boxes(levels):
    """Return the boxes of connected areas of one level, over 25 px, as (N, 4) xyxy."""
    boxes = [np.zeros((0, 4), int)]
    for level in np.unique(levels):
        mask = (levels == level).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        x, y, width, height, area = stats[1:].T
        found = np.stack([x, y, x + width - 1, y + height - 1], axis=1)
        boxes.append(found[area > MIN_COMPONENT_PX])
    return np.concatenate(boxes)


def overlaps(first, second):
    """Return the (N, M) IoU of inclusive boxes."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low + 1, 0, None).prod(axis=2)

    def area(boxes):
        return (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)

    return shared / (area(first)[:, None] + area(second) - shared)


def best_average_precision(domain, levels_of):
    """Return the finder's AP at 0.7 if it were told classes and ranking by the truth.

    All its hits then come before all its false boxes, with precision 1, so that AP is
    the share of the objects that some box hits: no rule of scoring can give it more.
    """
    hits = []
    for scene in scenes(domain, 30):
        boxes = component_boxes(levels_of(scene))
        wanted = [item.box for item in scene.objects if not item.is_difficult]
        if wanted:
            shared = overlaps(np.array(wanted), boxes)
            hits += list(shared.max(axis=1, initial=0) >= 0.7)
    assert len(hits) > 120
    return np.mean(hits)


def eight_levels_a_channel(image):
    red, green, blue = (image.astype(int) // 32).transpose(2, 0, 1)
    return red * 64 + green * 8 + blue


def eight_grey_levels(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) // 32


@pytest.mark.parametrize('domain', DOMAINS)
@pytest.mark.parametrize('quantise', [eight_levels_a_channel, eight_grey_levels])
def test_connected_components_do_not_give_the_boxes(domain, quantise):
    ap = best_average_precision(domain, lambda scene: quantise(scene.image))

    assert ap < 0.2


def test_the_same_finder_gives_the_boxes_where_objects_are_plain():
    """The check of the check: the same scenes, each object in one colour of its own."""

    def plain_levels(scene):
        return eight_levels_a_channel(voc_palette()[scene.instances])

    assert best_average_precision('source', plain_levels) > 0.75
