"""Saved detections and the truth they belong to, as the tables that scores read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmdetxfer.datasets.box_columns import has_inclusive_boxes, is_ignored
from mmdetxfer.errors import UserError
from mmdetxfer.predictions import Predictions
from mmdetxfer.scoring import FoundObjects, TrueObjects


def true_objects(dataset: Any) -> tuple[TrueObjects, tuple[str, ...]]:
    """Return the objects of an mmdet data set and the ids of its images, in its order.

    What is neither to be found nor missed is ignored: difficult objects, and groups.
    """
    ids, rows = [], []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        ids.append(str(info['img_id']))
        rows.extend(
            (index, one['bbox_label'], *one['bbox'], is_ignored(one))
            for one in info['instances']
        )
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    truth = TrueObjects(
        image_index=table[:, 0].astype(np.int64),
        labels=table[:, 1].astype(np.int64),
        boxes=table[:, 2:6],
        is_ignored=table[:, 6].astype(bool),
        is_inclusive=has_inclusive_boxes(dataset),
    )
    return truth, tuple(ids)


def found_objects(
    predictions: Predictions,
    image_ids: Sequence[str],
    classes: Sequence[str],
    source: str,
) -> FoundObjects:
    """Return detections with the images numbered as in ``image_ids``.

    Args:
        predictions: As ``tools/test.py --out`` wrote them.
        image_ids: The test set's images.
        classes: The test set's classes.
        source: Where the predictions come from, for messages.
    """
    if predictions.header.task != 'detection':
        raise UserError(
            f'{source}: expected predictions of a detector, got those of '
            f'{predictions.header.task}'
        )
    if tuple(classes) != predictions.header.classes:
        pairs = zip(classes, predictions.header.classes, strict=False)
        differing = [f'{a!r} is {b!r}' for a, b in pairs if a != b]
        raise UserError(
            f"{source}: expected the test set's {len(classes)} classes, got "
            f'{len(predictions.header.classes)}'
            + (f'; the first that differs: {differing[0]}' if differing else '')
        )
    places = {one: place for place, one in enumerate(image_ids)}
    unknown = [one for one in predictions.image_ids if one not in places]
    missing = len(set(image_ids) - set(predictions.image_ids))
    if unknown or missing:
        named = f', first {unknown[0]!r}' if unknown else ''
        raise UserError(
            f"{source}: expected the test set's {len(image_ids)} images, got "
            f'{len(unknown)} others{named}, and {missing} are missing; test with '
            'this config again'
        )
    numbers = np.array([places[one] for one in predictions.image_ids], dtype=np.int64)
    columns = predictions.columns
    missing = {'image_index', 'boxes', 'labels', 'scores'} - set(columns)
    if missing:
        raise UserError(f'{source}: expected columns of detections, without {missing}')
    for name, most in (('labels', len(classes)), ('image_index', len(numbers))):
        wrong = (columns[name] < 0) | (columns[name] >= most)
        if wrong.any():
            raise UserError(
                f'{source}: expected {name} from 0 to {most - 1}, got '
                f'{int(columns[name][wrong.argmax()])} in row {int(wrong.argmax())}; '
                'make the predictions again'
            )
    try:
        return FoundObjects(
            image_index=numbers[columns['image_index']],
            labels=columns['labels'],
            boxes=columns['boxes'],
            scores=columns['scores'],
        )
    except ValueError as error:
        raise UserError(f'{source}: {error}') from error
