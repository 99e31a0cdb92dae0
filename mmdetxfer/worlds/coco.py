"""Writer of COCO 2017: instances_train2017.json and instances_val2017.json.

Categories are all 80 of COCO under their ids, in the order of COCO (which is that of
mmdet's CocoDataset), because that reader takes the order of the labels from the file.
Ids of images and of annotations count from 1 through both splits. Boxes are x, y, width
and height of the visible part, areas its pixels. Polygons follow the visible pixels
exactly; a crowd has ``iscrowd`` 1 and run lengths.

COCO is a source and can be a target: ``domain`` decides what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .attributes import attributes_record, drawn_counts, write_attributes
from .categories import Domain, category_of
from .polygons import mask_polygons, run_lengths
from .scenes import Scene, draw_scene
from .writing import Progress, map_items, stream_seed, write_jpeg, write_json

# fmt: off
_NAMES = {
    'person': (
        (1, 'person'),),
    'vehicle': (
        (2, 'bicycle'), (3, 'car'), (4, 'motorcycle'), (5, 'airplane'), (6, 'bus'),
        (7, 'train'), (8, 'truck'), (9, 'boat')),
    'outdoor': (
        (10, 'traffic light'), (11, 'fire hydrant'), (13, 'stop sign'),
        (14, 'parking meter'), (15, 'bench')),
    'animal': (
        (16, 'bird'), (17, 'cat'), (18, 'dog'), (19, 'horse'), (20, 'sheep'),
        (21, 'cow'), (22, 'elephant'), (23, 'bear'), (24, 'zebra'), (25, 'giraffe')),
    'accessory': (
        (27, 'backpack'), (28, 'umbrella'), (31, 'handbag'), (32, 'tie'),
        (33, 'suitcase')),
    'sports': (
        (34, 'frisbee'), (35, 'skis'), (36, 'snowboard'), (37, 'sports ball'),
        (38, 'kite'), (39, 'baseball bat'), (40, 'baseball glove'),
        (41, 'skateboard'), (42, 'surfboard'), (43, 'tennis racket')),
    'kitchen': (
        (44, 'bottle'), (46, 'wine glass'), (47, 'cup'), (48, 'fork'), (49, 'knife'),
        (50, 'spoon'), (51, 'bowl')),
    'food': (
        (52, 'banana'), (53, 'apple'), (54, 'sandwich'), (55, 'orange'),
        (56, 'broccoli'), (57, 'carrot'), (58, 'hot dog'), (59, 'pizza'),
        (60, 'donut'), (61, 'cake')),
    'furniture': (
        (62, 'chair'), (63, 'couch'), (64, 'potted plant'), (65, 'bed'),
        (67, 'dining table'), (70, 'toilet')),
    'electronic': (
        (72, 'tv'), (73, 'laptop'), (74, 'mouse'), (75, 'remote'), (76, 'keyboard'),
        (77, 'cell phone')),
    'appliance': (
        (78, 'microwave'), (79, 'oven'), (80, 'toaster'), (81, 'sink'),
        (82, 'refrigerator')),
    'indoor': (
        (84, 'book'), (85, 'clock'), (86, 'vase'), (87, 'scissors'),
        (88, 'teddy bear'), (89, 'hair drier'), (90, 'toothbrush')),
}
# fmt: on
COCO_CATEGORIES = tuple(
    dict(supercategory=group, id=number, name=name)
    for group, members in _NAMES.items()
    for number, name in members
)
_ID_OF_NAME = {entry['name']: entry['id'] for entry in COCO_CATEGORIES}


def write(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
    domain: Domain = 'source',
) -> dict[str, dict[str, int]]:
    """Write COCO (train, val) to ``root``; see ``world.py`` for the contract.

    The streams of images are ('coco', split) for both domains.
    """
    counts, num_images, num_annotations = {}, 0, 0
    for split, number in split_sizes.items():
        stream = stream_seed(seed, 'coco', split)
        folder = str(root / f'{split}2017')
        items = [
            (folder, stream, index, num_images + index + 1, domain)
            for index in range(number)
        ]
        parts = root / '.parts' / split
        drawn = map_items(_draw, items, parts, workers, progress, f'coco {split}')
        annotations = [item for record in drawn for item in record['annotations']]
        for item in annotations:
            num_annotations += 1
            item['id'] = num_annotations
        num_images += number
        path = root / 'annotations' / f'instances_{split}2017.json'
        write_json(path, _instances([r['image'] for r in drawn], annotations))
        attributes = [record['attributes'] for record in drawn]
        write_attributes(root, split, attributes)
        counts[split] = drawn_counts(attributes)
    return counts


def write_target(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write COCO with the target domain's scenes."""
    return write(root, split_sizes, seed, workers, progress, domain='target')


def _draw(item: tuple[str, int, int, int, Domain]) -> dict[str, Any]:
    folder, stream, index, image_id, domain = item
    scene = draw_scene(stream, index, domain)
    name = f'{image_id:012d}.jpg'
    write_jpeg(Path(folder) / name, scene.image)
    height, width = scene.instances.shape
    return dict(
        image=dict(license=1, file_name=name, height=height, width=width, id=image_id),
        annotations=scene_annotations(scene, image_id),
        attributes=attributes_record(str(image_id), scene),
    )


def scene_annotations(scene: Scene, image_id: int) -> list[dict[str, Any]]:
    """Return COCO's annotations of a scene, without ids."""
    annotations = []
    for number, item in enumerate(scene.objects, 1):
        mask = scene.instances == number
        x1, y1, x2, y2 = item.box
        if item.is_crowd:
            segmentation: Any = dict(counts=run_lengths(mask), size=list(mask.shape))
        else:
            inner = mask_polygons(mask[y1 : y2 + 1, x1 : x2 + 1])
            segmentation = [_moved(polygon, x1, y1) for polygon in inner]
        annotations.append(
            dict(
                segmentation=segmentation,
                area=int(mask.sum()),
                iscrowd=int(item.is_crowd),
                image_id=image_id,
                bbox=[x1, y1, x2 - x1 + 1, y2 - y1 + 1],
                category_id=_ID_OF_NAME[category_of(item.category).coco],
            )
        )
    return annotations


def _moved(polygon: list[int], x: int, y: int) -> list[int]:
    return [value + (y if place % 2 else x) for place, value in enumerate(polygon)]


def _instances(images: list[dict], annotations: list[dict]) -> dict[str, Any]:
    return dict(
        info=dict(description='mmdetxfer embedded world in the format of COCO 2017'),
        licenses=[dict(id=1, name='drawn', url='')],
        images=images,
        annotations=annotations,
        categories=list(COCO_CATEGORIES),
    )
