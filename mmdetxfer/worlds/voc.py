"""Writer of the VOC devkit: VOC2007 and VOC2012 of the target domain.

As in the devkit: box corners count from 1 and are inclusive; the lists of ``Main`` come
for each of the 20 classes too (1 present, 0 only as difficult, -1 absent), whether the
world draws the class or not. Objects stand in the order of the scene, and their number
in ``SegmentationObject`` is their place in the XML file.

In both segmentations 255 is void: a border of one pixel on either side of every edge
between objects and ground, and all of a difficult object. Half of the images have
segmentations (every other one; of VOC2012's val part all), and SBD has the rest, as in
reality. A crowd is one difficult object.

Two liberties: the real VOC2007 files have no ``occluded``, and their test part is a
devkit of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .attributes import attributes_record, drawn_counts, write_attributes
from .categories import category_of
from .palette_png import palette_png
from .scenes import Scene, draw_scene
from .writing import (
    Progress,
    map_items,
    stream_seed,
    write_bytes,
    write_jpeg,
    write_text,
)

VOC_CLASSES = (
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
)
VOID = 255
_OBJECT = """\t<object>
\t\t<name>{name}</name>
\t\t<pose>Unspecified</pose>
\t\t<truncated>{truncated:d}</truncated>
\t\t<occluded>{occluded:d}</occluded>
\t\t<difficult>{difficult:d}</difficult>
\t\t<bndbox>
\t\t\t<xmin>{box[0]}</xmin>
\t\t\t<ymin>{box[1]}</ymin>
\t\t\t<xmax>{box[2]}</xmax>
\t\t\t<ymax>{box[3]}</ymax>
\t\t</bndbox>
\t</object>
"""
_ANNOTATION = """<annotation>
\t<folder>{folder}</folder>
\t<filename>{image_id}.jpg</filename>
\t<source>
\t\t<database>mmdetxfer embedded world</database>
\t\t<annotation>{folder}</annotation>
\t\t<image>drawn</image>
\t</source>
\t<size>
\t\t<width>{width}</width>
\t\t<height>{height}</height>
\t\t<depth>3</depth>
\t</size>
\t<segmented>{segmented:d}</segmented>
{objects}</annotation>
"""


def write_voc2007(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write VOC2007 (train, val, test) to ``root``; the contract is in ``world.py``."""
    return _write('voc2007', root, split_sizes, seed, workers, progress)


def write_voc2012(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write VOC2012 (train, val) to ``root``; the contract is in ``world.py``."""
    return _write('voc2012', root, split_sizes, seed, workers, progress)


def image_ids(name: str, split_sizes: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the image ids of each split of 'voc2007' or 'voc2012', in stream order."""
    form = '{:06d}' if name == 'voc2007' else '2012_{:06d}'
    ids, first = {}, 1
    for split, number in split_sizes.items():
        ids[split] = [form.format(first + index) for index in range(number)]
        first += number
    return ids


def is_segmented(name: str, split: str, index: int) -> bool:
    """Return whether the devkit has segmentations of image ``index`` of a split."""
    return (name, split) == ('voc2012', 'val') or index % 2 == 0


def segmentation_maps(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W) uint8 maps of class numbers and of object numbers, with void."""
    of_object = [0] + [
        VOID if item.is_difficult else 1 + VOC_CLASSES.index(_voc_name(item.category))
        for item in scene.objects
    ]
    classes = np.array(of_object, np.uint8)[scene.instances]
    objects = np.where(classes == VOID, np.uint8(VOID), scene.instances)
    square = np.ones((3, 3), np.uint8)
    most = cv2.dilate(scene.instances, square)
    border = most != cv2.erode(scene.instances, square)
    classes[border] = objects[border] = VOID
    return classes, objects


def annotation_xml(scene: Scene, image_id: str, folder: str, segmented: bool) -> str:
    """Return the text of a scene's annotation file."""
    height, width = scene.instances.shape
    objects = ''.join(
        _OBJECT.format(
            name=_voc_name(item.category),
            truncated=item.is_truncated,
            occluded=item.occlusion > 0,
            difficult=item.is_difficult,
            box=[side + 1 for side in item.box],
        )
        for item in scene.objects
    )
    return _ANNOTATION.format(
        folder=folder,
        image_id=image_id,
        width=width,
        height=height,
        segmented=segmented,
        objects=objects,
    )


def _voc_name(key: str) -> str:
    name = category_of(key).voc
    assert name is not None, f'{key} is drawn in the target domain without a VOC name'
    return name


def _write(name, root, split_sizes, seed, workers, progress):
    counts = {}
    main, segmented = {}, {}
    ids = image_ids(name, split_sizes)
    for split in split_sizes:
        stream = stream_seed(seed, name, split)
        items = [
            (str(root), stream, index, image_id, is_segmented(name, split, index))
            for index, image_id in enumerate(ids[split])
        ]
        records = map_items(
            _draw, items, root / '.parts' / split, workers, progress, f'{name} {split}'
        )
        main[split] = records
        segmented[split] = [item[3] for item in items if item[4]]
        write_attributes(root, split, records)
        counts[split] = drawn_counts(records) | dict(segmented=len(segmented[split]))
    main['trainval'] = main['train'] + main['val']
    segmented['trainval'] = segmented['train'] + segmented['val']
    _write_lists(root / 'ImageSets', main, segmented)
    return counts


def _draw(item: tuple[str, int, int, str, bool]) -> dict[str, Any]:
    root, stream, index, image_id, segmented = item
    scene = draw_scene(stream, index, 'target')
    folder = Path(root)
    write_jpeg(folder / 'JPEGImages' / f'{image_id}.jpg', scene.image)
    text = annotation_xml(scene, image_id, folder.name, segmented)
    write_text(folder / 'Annotations' / f'{image_id}.xml', text)
    if segmented:
        classes, objects = segmentation_maps(scene)
        name = f'{image_id}.png'
        write_bytes(folder / 'SegmentationClass' / name, palette_png(classes))
        write_bytes(folder / 'SegmentationObject' / name, palette_png(objects))
    return attributes_record(image_id, scene)


def _write_lists(folder: Path, main: dict, segmented: dict) -> None:
    for split, records in main.items():
        labels = [_presence(record) for record in records]
        ids = [record['image_id'] for record in records]
        _write_list(folder / 'Main' / f'{split}.txt', ids)
        for name in VOC_CLASSES:
            lines = [
                f'{image_id} {label.get(name, -1):2d}'
                for image_id, label in zip(ids, labels, strict=True)
            ]
            _write_list(folder / 'Main' / f'{name}_{split}.txt', lines)
    for split, ids in segmented.items():
        _write_list(folder / 'Segmentation' / f'{split}.txt', ids)


def _presence(record: dict[str, Any]) -> dict[str, int]:
    """Return 1 for the classes present, 0 for those present only as difficult."""
    label: dict[str, int] = {}
    for item in record['objects']:
        name = _voc_name(item['category'])
        label[name] = max(label.get(name, 0), int(not item['is_difficult']))
    return label


def _write_list(path: Path, lines: list[str]) -> None:
    write_text(path, ''.join(line + '\n' for line in lines))
