"""ImageNet-Loc: ILSVRC's CLS-LOC layout, also readable as a classification folder.

Every image holds objects of one category of the source domain, so that the same images
train a detector and, without label noise, a classifier. Under the root (the ``ILSVRC``
of the real download):

- ``Data/CLS-LOC/train/<synset>/<synset>_<n>.JPEG`` and ``.../val/ILSVRC2012_val_<8
  digits>.JPEG``, with ``Annotations/CLS-LOC/<same>.xml`` and, in
  ``ImageSets/CLS-LOC/*.txt``, the name without ending and the line's number from 1;
- ``LOC_synset_mapping.txt`` and ``LOC_<split>_solution.csv``, which the real download
  has beside ``ILSVRC``;
- ``Data/CLS-LOC/meta/<split>.txt``: image and label, which makes ``Data/CLS-LOC`` the
  ``data_root`` of mmpretrain's ``ImageNet``. Labels count the synsets of the mapping
  from 0, in its order (sorted), so that folders read in sorted order give the same.

Boxes are those of the visible part in pixels, 0-based and inclusive: ILSVRC counts its
pixels from 0, unlike VOC, and its measure of overlap adds 1 to xmax - xmin.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .attributes import attributes_record, drawn_counts, write_attributes
from .categories import Category, categories_of
from .scenes import Scene, draw_single_class
from .writing import Progress, map_items, stream_seed, write_jpeg, write_text

SPLITS = ('train', 'val')
_OBJECT = (
    '\t<object>\n\t\t<name>{name}</name>\n\t\t<pose>Unspecified</pose>\n'
    '\t\t<truncated>{truncated}</truncated>\n\t\t<difficult>{difficult}</difficult>\n'
    '\t\t<bndbox>\n\t\t\t<xmin>{x1}</xmin>\n\t\t\t<ymin>{y1}</ymin>\n'
    '\t\t\t<xmax>{x2}</xmax>\n\t\t\t<ymax>{y2}</ymax>\n\t\t</bndbox>\n\t</object>\n'
)
_ANNOTATION = (
    '<annotation>\n\t<folder>{folder}</folder>\n\t<filename>{name}</filename>\n'
    '\t<source>\n\t\t<database>ILSVRC_2012</database>\n\t</source>\n'
    '\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n'
    '\t\t<depth>3</depth>\n\t</size>\n\t<segmented>0</segmented>\n'
    '{objects}</annotation>\n'
)


def imagenet_categories() -> tuple[Category, ...]:
    """Return the categories ordered by synset: label i is the i-th."""
    return tuple(sorted(categories_of('source'), key=lambda item: item.synset))


def image_name(split: str, index: int) -> str:
    """Return the path of an image below its split's folder, without the ending."""
    if split == 'val':
        return f'ILSVRC2012_val_{index + 1:08d}'
    categories = imagenet_categories()
    synset = categories[index % len(categories)].synset
    return f'{synset}/{synset}_{index // len(categories) + 1}'


def write(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write ImageNet-Loc (contract of ``world``)."""
    unknown = sorted(set(split_sizes) - set(SPLITS))
    if unknown:
        raise ValueError(f'ImageNet-Loc has the splits {list(SPLITS)}, got {unknown}')
    counts = {}
    for category in imagenet_categories():
        folder = root / 'Data' / 'CLS-LOC' / 'train' / category.synset
        folder.mkdir(parents=True, exist_ok=True)
    for split, number in split_sizes.items():
        stream = stream_seed(seed, 'imagenet_loc', split)
        items = [(str(root), split, stream, index) for index in range(number)]
        parts = root / '.parts' / split
        name = f'imagenet_loc {split}'
        images = map_items(_draw, items, parts, workers, progress, name)
        _write_lists(root, split, images)
        records = [image['attributes'] for image in images]
        write_attributes(root, split, records)
        counts[split] = drawn_counts(records)
    mapping = [
        f'{category.synset} {category.key.replace("_", " ")}\n'
        for category in imagenet_categories()
    ]
    write_text(root / 'LOC_synset_mapping.txt', ''.join(mapping))
    return counts


def _draw(item: tuple[str, str, int, int]) -> dict[str, Any]:
    root, split, stream, index = item
    categories = imagenet_categories()
    label = index % len(categories)
    scene = draw_single_class(stream, index, categories[label].key, 'source')
    name = image_name(split, index)
    write_jpeg(Path(root, 'Data', 'CLS-LOC', split, f'{name}.JPEG'), scene.image)
    xml = _annotation(name, split, categories[label].synset, scene)
    write_text(Path(root, 'Annotations', 'CLS-LOC', split, f'{name}.xml'), xml)
    return dict(
        name=name,
        label=label,
        boxes=[found.box for found in scene.objects],
        attributes=attributes_record(name.split('/')[-1], scene),
    )


def _annotation(name: str, split: str, synset: str, scene: Scene) -> str:
    objects = [
        _OBJECT.format(
            name=synset,
            truncated=int(found.is_truncated),
            difficult=int(found.is_difficult),
            **dict(zip(('x1', 'y1', 'x2', 'y2'), found.box, strict=True)),
        )
        for found in scene.objects
    ]
    height, width = scene.image.shape[:2]
    folder = synset if split == 'train' else split
    return _ANNOTATION.format(
        folder=folder,
        name=name.split('/')[-1],
        width=width,
        height=height,
        objects=''.join(objects),
    )


def _write_lists(root: Path, split: str, images: list[dict[str, Any]]) -> None:
    images = sorted(images, key=lambda image: image['name'])
    lines = [f'{image["name"]} {number}\n' for number, image in enumerate(images, 1)]
    sets = root / 'ImageSets' / 'CLS-LOC'
    for name in ('train_cls', 'train_loc') if split == 'train' else (split,):
        write_text(sets / f'{name}.txt', ''.join(lines))
    labels = [f'{image["name"]}.JPEG {image["label"]}\n' for image in images]
    write_text(root / 'Data' / 'CLS-LOC' / 'meta' / f'{split}.txt', ''.join(labels))
    rows = [_solution(image) for image in images]
    text = 'ImageId,PredictionString\n' + ''.join(rows)
    write_text(root / f'LOC_{split}_solution.csv', text)


def _solution(image: dict[str, Any]) -> str:
    synset = imagenet_categories()[image['label']].synset
    boxes = [' '.join([synset, *map(str, box)]) for box in image['boxes']]
    return f'{image["name"].split("/")[-1]},{" ".join(boxes)} \n'
