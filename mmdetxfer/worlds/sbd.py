"""Writer of SBD, the semantic boundaries data set, for the images of VOC2012.

As in the real one, it segments images of VOC2012's train and val parts under their VOC
ids, more of them than VOC does (``voc.is_segmented``), and its val list holds VOC's
segmented val images: whoever trains on SBD must leave those out. The layout is that of
the archive (``dataset/{img,cls,inst}``, ``train.txt``, ``val.txt``) under the folder
name that mmseg's converter expects.

Maps have no void and cover every visible pixel of every object, difficult ones too.
Boundaries are the pixels of a class (or object) with a neighbour above, below, left or
right that is none of it; pixels at the image's border are none for that alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_array

from .attributes import attributes_record, drawn_counts, write_attributes
from .categories import category_of
from .scenes import Scene, draw_scene
from .voc import VOC_CLASSES, image_ids
from .writing import (
    Progress,
    map_items,
    stream_seed,
    write_bytes,
    write_jpeg,
    write_text,
)


def write(
    root: Path,
    split_sizes: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, dict[str, int]]:
    """Write SBD (train, val) to ``root``; see ``world.py`` for the contract."""
    counts = {}
    for split, ids in image_ids('voc2012', split_sizes).items():
        stream = stream_seed(seed, 'voc2012', split)
        items = [(str(root), stream, index, name) for index, name in enumerate(ids)]
        records = map_items(
            _draw, items, root / '.parts' / split, workers, progress, f'sbd {split}'
        )
        write_text(root / 'dataset' / f'{split}.txt', ''.join(f'{i}\n' for i in ids))
        write_attributes(root, split, records)
        counts[split] = drawn_counts(records)
    return counts


def _draw(item: tuple[str, int, int, str]) -> dict[str, Any]:
    root, stream, index, image_id = item
    scene = draw_scene(stream, index, 'target')
    folder = Path(root) / 'dataset'
    write_jpeg(folder / 'img' / f'{image_id}.jpg', scene.image)
    class_struct, object_struct = mat_structs(scene)
    _write_mat(folder / 'cls' / f'{image_id}.mat', 'GTcls', class_struct)
    _write_mat(folder / 'inst' / f'{image_id}.mat', 'GTinst', object_struct)
    return attributes_record(image_id, scene)


def mat_structs(scene: Scene) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of GTcls and of GTinst of a scene."""
    numbers = [
        1 + VOC_CLASSES.index(category_of(item.category).voc) for item in scene.objects
    ]
    classes = np.array([0, *numbers], np.uint8)[scene.instances]
    of_classes = _boundaries(classes, range(1, len(VOC_CLASSES) + 1))
    of_objects = _boundaries(scene.instances, range(1, len(numbers) + 1))
    present = np.array(sorted(set(numbers)), np.uint8)[:, None]
    class_struct = dict(
        Boundaries=of_classes, Segmentation=classes, CategoriesPresent=present
    )
    object_struct = dict(
        Segmentation=scene.instances,
        Boundaries=of_objects,
        Categories=np.array(numbers, np.uint8)[:, None],
    )
    return class_struct, object_struct


def _boundaries(values: np.ndarray, numbers: range) -> np.ndarray:
    """Return an (n, 1) cell of sparse (H, W) boundary maps, one for each number."""
    differs = np.zeros(values.shape, bool)
    down, across = values[1:] != values[:-1], values[:, 1:] != values[:, :-1]
    differs[1:] |= down
    differs[:-1] |= down
    differs[:, 1:] |= across
    differs[:, :-1] |= across
    rows, columns = np.nonzero(differs)
    owners = values[rows, columns]
    cell = np.empty((len(numbers), 1), object)
    for place, number in enumerate(numbers):
        mine = owners == number
        ones = np.ones(int(mine.sum()), np.float64)
        where = (rows[mine], columns[mine])
        cell[place, 0] = csc_array((ones, where), shape=values.shape)
    return cell


def _write_mat(path: Path, name: str, struct: dict[str, Any]) -> None:
    data = io.BytesIO()
    savemat(data, {name: struct}, do_compression=True)
    # The first 116 bytes are free text, into which SciPy writes the time of day.
    header = b'MATLAB 5.0 MAT-file'.ljust(116)
    write_bytes(path, header + data.getvalue()[116:])
