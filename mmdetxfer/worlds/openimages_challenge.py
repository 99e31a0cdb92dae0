"""The files of the OpenImages challenge of 2019, for the images of OpenImages V4.

``challenge-2019-<subset>-detection-bbox.txt`` has, for each image, the lines

    validation/0001eeaf4aed83f9.jpg     path under OpenImages/
    -1                                  not used
    2                                   number of boxes
    86 0.0226 0.0710 0.9642 0.8005 0    class from 1, x1 y1 x2 y2 from 0 to 1, group of

and ``cls-label-description.csv`` the columns MID, name, class. Coordinates, order of
the images and image-level labels are those of module ``openimages``. Written beside
them: the official CSVs, which mmdet does not read.

The paths are those of the real file, under ``OpenImages/``. Of mmdet 3.3's configs the
validation loader has that prefix; the training and the test loader inherit V4's
``OpenImages/train/`` and ``OpenImages/validation/``, read all labels, but look for the
images in ``OpenImages/train/train/``: on the real data as here, set
``data_prefix=dict(img='OpenImages/')`` in these two.

Of the two files that mmdet reads with pickling allowed, the image sizes have to be a
pickle; ``class_label_tree.np`` need not be one and is a plain NumPy array file.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from .openimages_classes import challenge_classes, challenge_label_tree, hierarchy
from .writing import write_bytes, write_json, write_text


def write_challenge_subset(folder: Path, subset: str, images: list[dict]) -> None:
    """Write the boxes, image-level labels and image sizes of one subset.

    Args:
        folder: The folder ``challenge2019``.
        subset: 'train', 'validation' or 'test'.
        images: Records of ``openimages``, only of images with an object.
    """
    stem = f'challenge-2019-{subset}'
    blocks = [_text_block(subset, image) for image in images]
    write_text(folder / f'{stem}-detection-bbox.txt', ''.join(blocks))
    rows = [_csv_row(image['id'], box) for image in images for box in image['boxes']]
    columns = 'ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\n'
    write_text(folder / f'{stem}-detection-bbox.csv', columns + ''.join(rows))
    labels = [
        f'{image["id"]},{mid},{confidence}\n'
        for image in images
        for mid, confidence in image['labels']
    ]
    write_text(
        folder / f'{stem}-detection-human-imagelabels.csv',
        'ImageID,LabelName,Confidence\n' + ''.join(labels),
    )
    write_bytes(folder / f'{stem}-metas.pkl', pickled_image_metas(subset, images))


def pickled_image_metas(subset: str, images: list[dict[str, Any]]) -> bytes:
    """Return the image sizes in the order of the label files, as mmdet loads them."""
    metas = [
        dict(
            filename=f'OpenImages/{subset}/{image["id"]}.jpg',
            ori_shape=(image['height'], image['width'], 3),
        )
        for image in images
    ]
    return pickle.dumps(metas, protocol=4)


def write_challenge_classes(folder: Path) -> None:
    """Write the class list, the class relation and the hierarchy of the 500 classes."""
    classes = challenge_classes()
    named = ''.join(f'{item.mid},{item.name}\n' for item in classes)
    write_text(folder / 'challenge-2019-classes-description-500.csv', named)
    numbered = [f'{item.mid},{item.name},{item.challenge_id}\n' for item in classes]
    write_text(folder / 'cls-label-description.csv', ''.join(numbered))
    write_json(folder / 'challenge-2019-label500-hierarchy.json', hierarchy(classes))
    data = io.BytesIO()
    np.save(data, challenge_label_tree(), allow_pickle=False)
    write_bytes(folder / 'class_label_tree.np', data.getvalue())


def _text_block(subset: str, image: dict[str, Any]) -> str:
    lines = [f'{subset}/{image["id"]}.jpg', '-1', str(len(image['boxes']))]
    for box in image['boxes']:
        corners = ' '.join(f'{value:.8f}' for value in box['xyxy'])
        lines.append(f'{box["challenge_id"]} {corners} {box["is_group_of"]}')
    return '\n'.join(lines) + '\n'


def _csv_row(name: str, box: dict[str, Any]) -> str:
    x1, y1, x2, y2 = box['xyxy']
    corners = ','.join(f'{value:.6f}' for value in (x1, x2, y1, y2))
    return f'{name},{box["mid"]},{corners},{box["is_group_of"]}\n'
