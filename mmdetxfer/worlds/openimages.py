"""OpenImages V4 as mmdet's reader and the official tools want it.

The folder is mmdet's ``data/OpenImages``: images in ``OpenImages/<subset>/``, V4's
files in ``annotations/`` (here), the challenge's in ``challenge2019/`` (module
``openimages_challenge``); the subsets are called train and validation. Real MIDs and
names throughout; 601 classes are described, those of the source domain occur.

Conventions:

- Coordinates run from 0 to 1 over the image's extent, so the box of pixels x1..x2 is
  XMin = x1 / W, XMax = (x2 + 1) / W, with six decimals as in the official files. mmdet
  multiplies by the width and gets x1 and x2 + 1.
- The box is that of the visible part. IsOccluded: at least 1 % is hidden by others;
  IsTruncated: it passes the border; IsGroupOf: a crowd. IsDepiction and IsInside are 0.
- Rows are sorted by image id and hold only images with an object: mmdet's reader knows
  no others. ``oidv6-train-annotations-bbox.csv``, which mmdet's configs name, is the
  same table with V6's eight further columns: the four extreme points of each object.
- Image-level labels: every class with a box (confidence 1) and three source classes
  that are absent (confidence 0).
- The image sizes are a pickle, ``<subset>-image-metas.pkl``, because mmdet's reader
  takes nothing else: a list of plain dicts in the order of the CSV.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import numpy as np

from .attributes import attributes_record, drawn_counts, write_attributes
from .categories import categories_of, category_of
from .openimages_challenge import (
    pickled_image_metas,
    write_challenge_classes,
    write_challenge_subset,
)
from .openimages_classes import boxable_classes, class_of, hierarchy
from .scenes import Scene, draw_scene
from .writing import (
    Progress,
    map_items,
    stream_seed,
    write_bytes,
    write_jpeg,
    write_json,
    write_text,
)

SUBSETS = {'train': 'train', 'val': 'validation', 'test': 'test'}
_BOX_COLUMNS = (
    'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,'
    'IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside'
)
_CLICK_COLUMNS = ','.join(f'XClick{i}{axis}' for axis in 'XY' for i in (1, 2, 3, 4))
_IMAGE_COLUMNS = (
    'ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,'
    'Title,OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation'
)
_NUM_ABSENT = 3


def image_id(seed: int, index: int) -> str:
    """Return the id of an image of a stream: 16 hexadecimal digits, as real ones."""
    return sha256(f'openimages/{seed}/{index}'.encode()).hexdigest()[:16]


def write(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write OpenImages V4 and the challenge (contract of ``world``)."""
    unknown = sorted(set(split_sizes) - set(SUBSETS))
    if unknown:
        raise ValueError(f'OpenImages has the splits {list(SUBSETS)}, got {unknown}')
    counts = {}
    for split, number in split_sizes.items():
        images = _draw_split(root, split, number, seed, workers, progress)
        records = [image['attributes'] for image in images]
        write_attributes(root, split, records)
        with_boxes = [image for image in images if image['boxes']]
        _write_subset(root / 'annotations', SUBSETS[split], images, with_boxes)
        write_challenge_subset(root / 'challenge2019', SUBSETS[split], with_boxes)
        num_with_boxes = len(with_boxes)
        counts[split] = drawn_counts(records) | dict(images_with_objects=num_with_boxes)
    _write_classes(root / 'annotations')
    write_challenge_classes(root / 'challenge2019')
    return counts


def _draw_split(root, split, number, seed, workers, progress) -> list[dict[str, Any]]:
    stream = stream_seed(seed, 'openimages', split)
    folder = root / 'OpenImages' / SUBSETS[split]
    items = [
        (stream, index, str(folder / f'{image_id(stream, index)}.jpg'))
        for index in range(number)
    ]
    parts = root / '.parts' / split
    images = map_items(_draw, items, parts, workers, progress, f'openimages {split}')
    return sorted(images, key=lambda image: image['id'])


def _draw(item: tuple[int, int, str]) -> dict[str, Any]:
    stream, index, path = item
    scene = draw_scene(stream, index, 'source')
    write_jpeg(path, scene.image)
    data = Path(path).read_bytes()
    name = image_id(stream, index)
    height, width = scene.image.shape[:2]
    return dict(
        id=name,
        height=height,
        width=width,
        num_bytes=len(data),
        md5=base64.b64encode(md5(data).digest()).decode(),
        boxes=[_box(scene, number) for number in range(len(scene.objects))],
        labels=_image_labels(scene, index),
        attributes=attributes_record(name, scene),
    )


def _box(scene: Scene, number: int) -> dict[str, Any]:
    item = scene.objects[number]
    height, width = scene.image.shape[:2]
    x1, y1, x2, y2 = item.box
    known = class_of(category_of(item.category))
    return dict(
        mid=known.mid,
        challenge_id=known.challenge_id,
        xyxy=(x1 / width, y1 / height, (x2 + 1) / width, (y2 + 1) / height),
        is_occluded=int(item.occlusion > 0),
        is_truncated=int(item.is_truncated),
        is_group_of=int(item.is_crowd),
        clicks=_extreme_points(scene.instances == number + 1, item.box),
    )


def _extreme_points(mask: np.ndarray, box: Sequence[int]) -> tuple[float, ...]:
    """Return x of the top, left, bottom and right point of a mask, then their y.

    A point is the middle of the mask's pixels in the outermost row or column; it lies
    on the box, in units of the image's size.
    """
    height, width = mask.shape
    x1, y1, x2, y2 = box

    def middle(line: np.ndarray) -> float:
        return float(np.nonzero(line)[0].mean()) + 0.5

    top, bottom = (middle(mask[y]) / width for y in (y1, y2))
    left, right = (middle(mask[:, x]) / height for x in (x1, x2))
    x = (top, x1 / width, bottom, (x2 + 1) / width)
    y = (y1 / height, left, (y2 + 1) / height, right)
    return x + y


def _image_labels(scene: Scene, index: int) -> list[tuple[str, int]]:
    """Return (MID, confidence) of the classes present and of a few absent ones."""
    present = {class_of(category_of(item.category)).mid for item in scene.objects}
    known = [class_of(category).mid for category in categories_of('source')]
    absent = [mid for mid in known if mid not in present]
    # Starting at another class for each image, so that all classes get their negatives.
    start = index % max(len(absent), 1)
    chosen = (absent[start:] + absent[:start])[:_NUM_ABSENT]
    return [(mid, 1) for mid in sorted(present)] + [(mid, 0) for mid in sorted(chosen)]


def _write_subset(folder: Path, subset: str, images: list, with_boxes: list) -> None:
    boxes = [(image['id'], box) for image in with_boxes for box in image['boxes']]
    rows = [_box_row(name, box) for name, box in boxes]
    _write_table(folder / f'{subset}-annotations-bbox.csv', _BOX_COLUMNS, rows)
    if subset == 'train':
        rows = [f'{_box_row(name, box)},{_six(box["clicks"])}' for name, box in boxes]
        columns = f'{_BOX_COLUMNS},{_CLICK_COLUMNS}'
        _write_table(folder / 'oidv6-train-annotations-bbox.csv', columns, rows)
    _write_table(
        folder / f'{subset}-annotations-human-imagelabels-boxable.csv',
        'ImageID,Source,LabelName,Confidence',
        [
            f'{image["id"]},verification,{mid},{confidence}'
            for image in images
            for mid, confidence in image['labels']
        ],
    )
    boxable = '-boxable' if subset == 'train' else ''
    _write_table(
        folder / f'{subset}-images{boxable}-with-rotation.csv',
        _IMAGE_COLUMNS,
        # No image of a drawn world has an address, a licence or an author.
        [
            f'{image["id"]},{subset},,,,,,,{image["num_bytes"]},{image["md5"]},,0.0'
            for image in images
        ],
    )
    metas = pickled_image_metas(subset, with_boxes)
    write_bytes(folder / f'{subset}-image-metas.pkl', metas)


def _box_row(name: str, box: dict[str, Any]) -> str:
    x1, y1, x2, y2 = box['xyxy']
    flags = (box['is_occluded'], box['is_truncated'], box['is_group_of'], 0, 0)
    flag_text = ','.join(map(str, flags))
    return f'{name},xclick,{box["mid"]},1,{_six((x1, x2, y1, y2))},{flag_text}'


def _six(values: Iterable[float]) -> str:
    return ','.join(f'{value:.6f}' for value in values)


def _write_table(path: Path, columns: str, rows: list[str]) -> None:
    write_text(path, '\n'.join([columns, *rows]) + '\n')


def _write_classes(folder: Path) -> None:
    classes = boxable_classes()
    rows = [f'{item.mid},{item.name}' for item in classes]
    write_text(folder / 'class-descriptions-boxable.csv', '\n'.join(rows) + '\n')
    write_json(folder / 'bbox_labels_600_hierarchy.json', hierarchy(classes))
