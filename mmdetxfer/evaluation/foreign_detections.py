"""Detections in other formats: COCO's result JSON and VOC's comp4 text files.

A host's ``.pkl`` is never read: opening one runs code. COCO's category and image ids
are those of the test set's annotation file. VOC's corners count pixels from 1, and the
last one belongs to the box; as mmdet reads VOC, they count from 0 here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset, XMLDataset

from mmdetxfer.datasets.class_check import unwrapped_datasets
from mmdetxfer.errors import UserError
from mmdetxfer.predictions import PredictionHeader, Predictions, load_predictions

_UNKNOWN_WEIGHTS = 'unknown'


def load_detections(path: Path, dataset: Any) -> Predictions:
    """Read detections of a test set, in the format that the name tells.

    Args:
        path: ``.npz`` or ``.parquet`` of ``tools/test.py --out``, COCO's result
            ``.json``, or a folder of ``comp4_det_<split>_<class>.txt``.
        dataset: The test set.
    """
    if path.suffix in ('.pkl', '.pickle'):
        raise UserError(
            f'{path}: expected .npz, .parquet, .json (COCO) or a folder of comp4 text '
            'files; opening a .pkl could run code: make it again with tools/test.py '
            '--out NAME.npz'
        )
    if not path.exists():
        raise UserError(
            f'{path}: expected predictions (.npz, .parquet), COCO results (.json) or a '
            'folder of comp4 text files, there is nothing'
        )
    if path.is_dir():
        return _read_comp4(path, dataset)
    if path.suffix == '.json':
        return _read_coco_results(path, dataset)
    return load_predictions(path)


def _predictions(
    path: Path, dataset: Any, rows: list[tuple], image_ids: list[str]
) -> Predictions:
    """Make predictions of rows (image id, label, box, score)."""
    if not rows:
        raise UserError(f'{path}: expected detections, it has none')
    places = {one: place for place, one in enumerate(image_ids)}
    unknown = sorted({row[0] for row in rows} - places.keys())
    if unknown:
        raise UserError(
            f'{path}: expected detections of the {len(image_ids)} test images, got '
            f'{len(unknown)} other images, first {unknown[0]!r}; name the config whose '
            'test set they are of'
        )
    columns = dict(
        image_index=np.array([places[row[0]] for row in rows], dtype=np.int64),
        labels=np.array([row[1] for row in rows], dtype=np.int64),
        boxes=np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, 4),
        scores=np.array([row[3] for row in rows], dtype=np.float64),
    )
    classes = tuple(dataset.metainfo['classes'])
    header = PredictionHeader('detection', classes, _UNKNOWN_WEIGHTS, path.name)
    return Predictions(header, tuple(image_ids), columns)


def _image_ids(dataset: Any) -> list[str]:
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return [str(info['img_id']) for info in infos]


def _read_coco_results(path: Path, dataset: Any) -> Predictions:
    label_of: dict[int, int] = {}
    for one in unwrapped_datasets(dataset):
        if not isinstance(one, CocoDataset):
            raise UserError(
                f"{path}: COCO's results name categories by the ids of a test set in "
                f"COCO's format, and this one is a {type(one).__name__}"
            )
        label_of.update(one.cat2label)
    try:
        found = json.loads(path.read_text())
        rows = list(_coco_rows(found, label_of, path))
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: expected COCO's results, a list of objects with image_id, "
            f'category_id, bbox and score; got {type(error).__name__}: {error}'
        ) from error
    return _predictions(path, dataset, rows, _image_ids(dataset))


def _coco_rows(
    found: list[dict], label_of: Mapping[int, int], path: Path
) -> Iterator[tuple]:
    for place, one in enumerate(found):
        if one['category_id'] not in label_of:
            raise UserError(
                f"{path}: expected the test set's {len(label_of)} categories, got id "
                f'{one["category_id"]} in entry {place}'
            )
        x, y, width, height = map(_number, one['bbox'])
        box = (x, y, x + width, y + height)
        label = label_of[one['category_id']]
        yield str(one['image_id']), label, box, _number(one['score'])


def _number(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f'expected a number, got {value!r}')


def _read_comp4(folder: Path, dataset: Any) -> Predictions:
    for one in unwrapped_datasets(dataset):
        if not isinstance(one, XMLDataset):
            raise UserError(
                f"{folder}: comp4 files are of a test set in VOC's format, and this "
                f'one is a {type(one).__name__}'
            )
    classes = tuple(dataset.metainfo['classes'])
    # comp4_det_<split>_<class>.txt: the class may have blanks, the split no underscore.
    files = {
        name: sorted(
            path
            for path in folder.iterdir()
            if re.fullmatch(f'comp4_det_[^_]*_{re.escape(name)}\\.txt', path.name)
        )
        for name in classes
    }
    wrong = [name for name, own in files.items() if len(own) != 1]
    if wrong:
        raise UserError(
            f'{folder}: expected one file comp4_det_<split>_<class>.txt for each of '
            f"the test set's {len(classes)} classes, got {len(files[wrong[0]])} for "
            f'{wrong[0]!r}'
        )
    rows = []
    for label, name in enumerate(classes):
        (path,) = files[name]
        for number, line in enumerate(_lines(path), 1):
            words = line.split()
            try:
                image, score, x1, y1, x2, y2 = words[0], *map(float, words[1:])
            except (ValueError, IndexError) as error:
                raise UserError(
                    f'{path}, line {number}: expected an image, a score and four '
                    f'corners, got {line!r}'
                ) from error
            rows.append((image, label, (x1 - 1, y1 - 1, x2 - 1, y2 - 1), score))
    return _predictions(folder, dataset, rows, _image_ids(dataset))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'{path}: expected a text file of detections, got {error}'
        ) from error
