"""Reads OpenImages' raw box files, V4 and challenge, into columns.

Corners are shares of the image's width and height. The files hold no image sizes:
mmdet's readers take them from a pickle, which is opened here only if it is plain data.
"""

import csv
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from mmdetxfer.datasets.annotation_files import Columns, why
from mmdetxfer.datasets.annotations import Annotations
from mmdetxfer.datasets.audit import AuditTable, Reason
from mmdetxfer.errors import UserError

_TEXT_COLUMNS = {'f0': pa.string(), 'f2': pa.string()}
_NUMBER_COLUMNS = {f'f{column}': pa.float64() for column in range(4, 8)}


def read_openimages(
    boxes_file: str, labels_file: str, image_folder: str, table: AuditTable, where: str
) -> Annotations:
    """Read V4's boxes: a CSV file by column position, with one header line.

    Args:
        boxes_file: ImageID, Source, LabelName, Confidence, XMin, XMax, YMin, YMax, ...
        labels_file: MID and name of each class, without a header, in label order.
        image_folder: Where ``ImageID.jpg`` lie.
        table: What findings are added to.
        where: Name of the split, for the examples.
    """
    columns = {**_TEXT_COLUMNS, **_NUMBER_COLUMNS}
    try:
        rows = pa_csv.read_csv(
            boxes_file,
            pa_csv.ReadOptions(autogenerate_column_names=True, skip_rows=1),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(columns), column_types=columns
            ),
        )
        names = {row[0]: row[1] for row in _csv_rows(labels_file)}
    except (OSError, pa.ArrowException, IndexError) as error:
        table.add(Reason.ANNOTATION, f'{where}: {boxes_file}: {why(error)}')
        return Columns().annotations()
    images = rows['f0'].combine_chunks().dictionary_encode()
    labels = rows['f2'].combine_chunks().dictionary_encode()
    ids, mids = images.dictionary.to_pylist(), labels.dictionary.to_pylist()
    corners = [rows[f'f{column}'].to_numpy() for column in (4, 6, 5, 7)]
    return Annotations(
        image_paths=[str(Path(image_folder, f'{one}.jpg')) for one in ids],
        image_sizes=np.full((len(ids), 2), np.nan),
        object_images=images.indices.to_numpy().astype(np.int64),
        object_classes=labels.indices.to_numpy().astype(np.int64),
        class_names=[names.get(mid, mid) for mid in mids],
        boxes=np.stack(corners, axis=1),
        are_relative=True,
        listed_classes=list(names.values()),
    )


def read_openimages_challenge(
    boxes_file: str, labels_file: str, image_folder: str, table: AuditTable, where: str
) -> Annotations:
    """Read the challenge's boxes: file name, a line, a count, then label and corners.

    The arguments are those of :func:`read_openimages`; a row of ``labels_file`` is MID,
    name and label, counted from 1.
    """
    columns = Columns()
    try:
        names = {int(row[2]): row[1] for row in _csv_rows(labels_file)}
        lines = Path(boxes_file).read_text().splitlines()
        position = 0
        while position < len(lines):
            image = columns.add_image(str(Path(image_folder, lines[position].rstrip())))
            first = position + 3
            position = first + int(lines[position + 2])
            for line in lines[first:position]:
                label, *corners = line.split()[:5]
                name = names.get(int(label), f'label {label}')
                columns.add_object(image, name, [float(value) for value in corners])
    except (OSError, ValueError, IndexError) as error:
        table.add(Reason.ANNOTATION, f'{where}: {boxes_file}: {why(error)}')
        return Columns().annotations()
    listed = [names[label] for label in sorted(names)]
    return columns.annotations(are_relative=True, listed_classes=listed)


def read_pickled_sizes(
    file: str, table: AuditTable, where: str
) -> dict[str, tuple[float, float]]:
    """Return width and height by file name from the pickle that mmdet reads."""
    try:
        with open(file, 'rb') as stream:
            metas = _PlainUnpickler(stream, file).load()
        sizes = {}
        for meta in metas:
            height, width = meta['ori_shape'][:2]
            sizes[Path(meta['filename']).name] = (float(width), float(height))
    except (OSError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        table.add(Reason.ANNOTATION, f'{where}: {file}: {why(error)}')
        return {}
    return sizes


class _PlainUnpickler(pickle.Unpickler):
    """Opens a pickle of lists, dicts, numbers and strings; runs no code."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        super().__init__(stream)
        self.file = file

    def find_class(self, module: str, name: str) -> Any:
        # mmdet's reader would open it, and so run what it names.
        raise UserError(
            f'{self.file}: expected plain image sizes, it names {module}.{name}, which '
            'opening it would run; make the file again'
        )


def _csv_rows(file: str) -> list[list[str]]:
    with open(file, newline='') as stream:
        return list(csv.reader(stream))
