"""A contact sheet of the world's kinds of images, to be looked at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .categories import categories_of, flower_categories
from .palette_png import voc_palette
from .scenes import (
    SCENE_CLASSES,
    Scene,
    draw_scene,
    draw_single_class,
    draw_sun_scene,
)
from .writing import stream_seed, write_bytes

_COLUMNS = 7
_CELL_PX = 300
_TITLE_PX = 26
_INK = (20, 20, 20)
_SHRUNK_ENOUGH_PX = 280


def write_preview(path: Path, seed: int) -> None:
    """Write a PNG of scenes with boxes, of one-class images and of SUN scenes."""
    stream = stream_seed(seed, 'preview')
    rows = []
    for domain in ('source', 'target'):
        scenes = [draw_scene(stream, index, domain) for index in range(_COLUMNS)]
        rows.append((f'{domain}: scenes', [_with_boxes(s) for s in scenes]))
        if domain == 'target':
            rows.append(('target: objects', [_objects(s) for s in scenes]))
        keys = [c.key for c in categories_of(domain)]
        single = [draw_single_class(stream, 0, key, domain) for key in keys]
        for first in range(0, len(keys), _COLUMNS):
            title = f'{domain}: one class: ' + ' '.join(keys[first : first + _COLUMNS])
            images = [s.image for s in single[first : first + _COLUMNS]]
            rows.append((title, images))
    flowers = [c.key for c in flower_categories()][:_COLUMNS]
    drawn = [draw_single_class(stream, 0, key, 'target') for key in flowers]
    rows.append(('flowers: ' + ' '.join(flowers), [s.image for s in drawn]))
    for first in range(0, len(SCENE_CLASSES), _COLUMNS):
        names = SCENE_CLASSES[first : first + _COLUMNS]
        drawn = [draw_sun_scene(stream, 0, name) for name in names]
        rows.append(('SUN: ' + ' '.join(names), [s.image for s in drawn]))
    sheet = np.vstack([_row(title, images) for title, images in rows])
    _, data = cv2.imencode('.png', np.ascontiguousarray(sheet[..., ::-1]))
    write_bytes(path, data.tobytes())


def _with_boxes(scene: Scene) -> np.ndarray:
    image = scene.image.copy()
    for item in scene.objects:
        x1, y1, x2, y2 = item.box
        colour = (255, 160, 0) if item.is_difficult else (255, 0, 0)
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, 1)
        place = (x1 + 1, max(9, y1 - 2))
        cv2.putText(image, item.category, place, 0, 0.32, (255, 255, 255), 2)
        cv2.putText(image, item.category, place, 0, 0.32, _INK, 1)
    return image


def _objects(scene: Scene) -> np.ndarray:
    return voc_palette()[scene.instances]


def _row(title: str, images: list[np.ndarray]) -> np.ndarray:
    row = np.full((_CELL_PX + _TITLE_PX, _COLUMNS * _CELL_PX, 3), 255, np.uint8)
    cv2.putText(row, title, (6, 18), 0, 0.5, _INK, 1)
    for column, image in enumerate(images):
        height, width = image.shape[:2]
        if max(height, width) > _SHRUNK_ENOUGH_PX:
            share = _SHRUNK_ENOUGH_PX / max(height, width)
            size = (round(width * share), round(height * share))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        top, left = _TITLE_PX + 4, column * _CELL_PX + 6
        row[top : top + image.shape[0], left : left + image.shape[1]] = image
    return row
