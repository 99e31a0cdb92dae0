"""Caltech-256, SUN-397 and Oxford-102 Flowers in their folder layouts.

- Caltech-256: ``256_ObjectCategories/<folder>/<nnn>_<mmmm>.jpg``, read by mmpretrain's
  ``CustomDataset`` with the folder as ``data_prefix``. It has no official split. Of the
  257 folders those of the world's categories are there, and a label is the place of the
  folder among them in sorted order.
- SUN-397: ``SUN397/<letter>/<scene>/sun_<16 letters>.jpg``, the first of the official
  partitions as ``Partitions/Training_01.txt`` and ``Testing_01.txt``, and
  ``ClassName.txt`` with the world's scenes. mmpretrain's ``SUN397`` gives each its
  label among the real 397.
- Flowers: ``jpg/image_<5 digits>.jpg``, ``imagelabels.mat`` with the classes 1 to 102
  by image number, ``setid.mat`` with the image numbers (from 1) of the splits; the
  numbers run on from train to val to test.

Classes take turns: image i of a split has class i modulo the number of classes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from .attributes import attributes_record, drawn_counts, write_attributes
from .categories import caltech256_categories, flower_categories
from .scenes import SCENE_CLASSES, Scene, draw_single_class, draw_sun_scene
from .writing import (
    Progress,
    map_items,
    stream_seed,
    write_bytes,
    write_jpeg,
    write_text,
)

FLOWER_SETS = {'train': 'trnid', 'val': 'valid', 'test': 'tstid'}
SUN_LISTS = {'train': 'Training_01.txt', 'test': 'Testing_01.txt'}
# SUN-397 keeps these apart by a folder of their own: /c/church/indoor.
_SUN_PLACES = ('indoor', 'outdoor', 'interior', 'exterior', 'natural', 'urban')
_MAT_HEADER = b'MATLAB 5.0 MAT-file, written by mmdetxfer'
_MAT_HEADER_BYTES = 116


def caltech256_path(index: int) -> str:
    """Return the path of image ``index`` below ``256_ObjectCategories``."""
    categories = sorted(item.caltech256 for item in caltech256_categories())
    folder = categories[index % len(categories)]
    return f'{folder}/{folder[:3]}_{index // len(categories) + 1:04d}.jpg'


def sun397_folder(scene_class: str) -> str:
    """Return the official path of a scene class, such as '/c/church/indoor'."""
    stem, _, place = scene_class.rpartition('_')
    name = f'{stem}/{place}' if place in _SUN_PLACES else scene_class
    return f'/{scene_class[0]}/{name}'


def sun397_path(stream: int, index: int) -> str:
    """Return the path of image ``index`` of a stream as the partition lists have it."""
    folder = sun397_folder(SCENE_CLASSES[index % len(SCENE_CLASSES)])
    digest = sha256(f'sun397/{stream}/{index}'.encode()).digest()[:16]
    return f'{folder}/sun_{"".join(chr(ord("a") + byte % 26) for byte in digest)}.jpg'


def write_caltech256(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write Caltech-256 (contract of ``world``); its one split is called 'all'."""
    _check_splits('Caltech-256', split_sizes, ('all',))
    folder = root / '256_ObjectCategories'
    for category in caltech256_categories():
        # Also a folder without an image has its place among the labels.
        (folder / category.caltech256).mkdir(parents=True, exist_ok=True)
    stream = stream_seed(seed, 'caltech256', 'all')
    items = [(str(folder), stream, index) for index in range(split_sizes['all'])]
    return {'all': _draw_all(root, 'all', _draw_caltech256, items, workers, progress)}


def write_sun397(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write SUN-397 (contract of ``world``)."""
    _check_splits('SUN-397', split_sizes, SUN_LISTS)
    counts = {}
    for split, number in split_sizes.items():
        stream = stream_seed(seed, 'sun397', split)
        items = [(str(root / 'SUN397'), stream, index) for index in range(number)]
        counts[split] = _draw_all(root, split, _draw_sun397, items, workers, progress)
        lines = sorted(f'{sun397_path(stream, index)}\n' for index in range(number))
        write_text(root / 'Partitions' / SUN_LISTS[split], ''.join(lines))
    names = sorted(f'{sun397_folder(name)}\n' for name in SCENE_CLASSES)
    write_text(root / 'Partitions' / 'ClassName.txt', ''.join(names))
    return counts


def write_flowers102(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write Oxford-102 Flowers (contract of ``world``)."""
    _check_splits('Oxford-102 Flowers', split_sizes, FLOWER_SETS)
    if min(split_sizes.values()) < 2:
        raise ValueError(
            f'Oxford-102 Flowers needs 2 images in each split, got {split_sizes}: its '
            'reader takes a list of one for a number; ask for a larger world'
        )
    flowers = flower_categories()
    counts, labels, sets, first = {}, [], {}, 1
    for split in (name for name in FLOWER_SETS if name in split_sizes):
        number = split_sizes[split]
        stream = stream_seed(seed, 'flowers102', split)
        items = [(str(root / 'jpg'), stream, i, first + i) for i in range(number)]
        counts[split] = _draw_all(root, split, _draw_flower, items, workers, progress)
        labels += [flowers[index % len(flowers)].flower_id for index in range(number)]
        sets[FLOWER_SETS[split]] = np.arange(first, first + number, dtype=np.uint16)
        first += number
    _write_mat(root / 'imagelabels.mat', {'labels': np.array(labels, np.uint8)})
    _write_mat(root / 'setid.mat', sets)
    return counts


def _check_splits(
    name: str, split_sizes: Mapping[str, int], known: Iterable[str]
) -> None:
    unknown = sorted(set(split_sizes) - set(known))
    if unknown:
        raise ValueError(f'{name} has the splits {list(known)}, got {unknown}')


def _draw_all(root, split, function, items, workers, progress) -> dict[str, int]:
    """Draw the images of a split, write their attributes and return the counts."""
    name = f'{root.name} {split}'
    parts = root / '.parts' / split
    records = map_items(function, items, parts, workers, progress, name)
    write_attributes(root, split, records)
    return drawn_counts(records)


def _draw_caltech256(item: tuple[str, int, int]) -> dict[str, Any]:
    folder, stream, index = item
    categories = sorted(caltech256_categories(), key=lambda found: found.caltech256)
    key = categories[index % len(categories)].key
    scene = draw_single_class(stream, index, key, 'target')
    return _write_image(Path(folder), caltech256_path(index), scene)


def _draw_sun397(item: tuple[str, int, int]) -> dict[str, Any]:
    folder, stream, index = item
    scene = draw_sun_scene(stream, index, SCENE_CLASSES[index % len(SCENE_CLASSES)])
    return _write_image(Path(folder), sun397_path(stream, index)[1:], scene)


def _draw_flower(item: tuple[str, int, int, int]) -> dict[str, Any]:
    folder, stream, index, number = item
    flowers = flower_categories()
    key = flowers[index % len(flowers)].key
    scene = draw_single_class(stream, index, key, 'target')
    return _write_image(Path(folder), f'image_{number:05d}.jpg', scene)


def _write_image(folder: Path, name: str, scene: Scene) -> dict[str, Any]:
    write_jpeg(folder / name, scene.image)
    return attributes_record(name, scene)


def _write_mat(path: Path, values: dict[str, np.ndarray]) -> None:
    data = io.BytesIO()
    savemat(data, values, oned_as='row')
    # The free text at the start holds the time of writing: equal worlds, equal files.
    header = _MAT_HEADER.ljust(_MAT_HEADER_BYTES)
    write_bytes(path, header + data.getvalue()[_MAT_HEADER_BYTES:])
