"""OpenImages' official CSV files, read block by block into columns.

V4 to V7 and the challenge by the names in their header line: ImageID, LabelName, XMin,
XMax, YMin, YMax, and of IsOccluded, IsTruncated, IsGroupOf, IsDepiction, IsInside those
that are there. Corners are shares of the image's sides. Rows of labels that the class
file does not name are left out and counted. The rows of an image need not follow one
another.
"""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from mmdetxfer.errors import UserError

FLAGS = ('IsOccluded', 'IsTruncated', 'IsGroupOf', 'IsDepiction', 'IsInside')
_CORNERS = ('XMin', 'YMin', 'XMax', 'YMax')
_BLOCK_BYTES = 1 << 24
Report = Callable[[int], None]


def read_classes(path: str | Path) -> tuple[list[str], list[str]]:
    """Return MIDs and names in label order.

    Rows are MID and name, and in mmdet's file of the challenge the label too, from 1.
    """
    try:
        with open(path, newline='') as stream:
            rows = [row for row in csv.reader(stream) if row]
        if all(len(row) > 2 for row in rows):
            rows.sort(key=lambda row: int(row[2]))
        mids, names = [row[0] for row in rows], [row[1] for row in rows]
    except (OSError, IndexError, ValueError) as error:
        raise UserError(
            f'{path}: expected rows of MID and class name, it cannot be read as such '
            f'({error})'
        ) from error
    # Official files of image-level labels have a header line, those of boxes none.
    if mids and not mids[0].startswith('/'):
        mids, names = mids[1:], names[1:]
    if not mids or len(set(mids)) < len(mids):
        raise UserError(f'{path}: expected a list of different MIDs, got {len(mids)}')
    return mids, names


def read_hierarchy(path: str | Path) -> dict:
    """Return the official hierarchy of classes."""
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f'{path}: expected the official JSON file of the hierarchy, it cannot be '
            f'read as such ({str(error).splitlines()[0]})'
        ) from error
    if not isinstance(content, dict):
        raise UserError(f'{path}: expected an object with Subcategory, got a list')
    return content


def ancestors_matrix(hierarchy: dict, mids: Sequence[str]) -> np.ndarray:
    """Return (K, K): 1 where the column's class is the row's or an ancestor of it.

    Args:
        hierarchy: The official JSON file: LabelName and Subcategory, nested.
        mids: The classes; nodes of other names are passed through.
    """
    places = {mid: place for place, mid in enumerate(mids)}
    matrix = np.eye(len(mids))
    left = [(node, ()) for node in hierarchy.get('Subcategory', ())]
    while left:
        node, ancestors = left.pop()
        place = places.get(node.get('LabelName'))
        if place is not None:
            matrix[place, list(ancestors)] = 1
            ancestors = (*ancestors, place)
        left.extend((child, ancestors) for child in node.get('Subcategory', ()))
    return matrix


def read_boxes(
    path: str | Path, mids: Sequence[str], report: Report | None = None
) -> dict[str, np.ndarray]:
    """Return the boxes of N images, M of them, image by image.

    Args:
        path: The CSV file.
        mids: The classes in label order.
        report: Told how many rows are read.

    Returns:
        ``image_ids`` (N,) bytes, ``offsets`` (N + 1,), ``labels`` (M,), ``corners``
        (M, 4) from 0 to 1, ``flags`` (M,) with bit k for the k-th of ``FLAGS``, and
        ``unknown_labels``: MIDs that are no classes, with their ``unknown_counts``.
    """
    wanted = dict.fromkeys(('ImageID', 'LabelName'), pa.string())
    wanted.update(dict.fromkeys(_CORNERS, pa.float32()))
    flags = dict.fromkeys(FLAGS, pa.int8())
    rows = _Rows(mids)
    parts = {'corners': [], 'flags': []}
    for batch in _batches(Path(path), wanted, flags):
        kept = rows.add(batch)
        corners = [batch[name].to_numpy() for name in _CORNERS]
        parts['corners'].append(np.stack(corners, axis=1)[kept])
        bits = np.zeros(len(batch), dtype=np.uint8)
        for bit, name in enumerate(FLAGS):
            if name in batch.schema.names:
                # Some files of V2 say -1 for unknown.
                bits |= (batch[name].to_numpy() > 0).astype(np.uint8) << bit
        parts['flags'].append(bits[kept])
        if report is not None:
            report(rows.num_rows)
    columns = rows.columns()
    order = columns.pop('order')
    for name, arrays in parts.items():
        shape = (0, 4) if name == 'corners' else (0,)
        column = np.concatenate(arrays) if arrays else np.zeros(shape, np.float32)
        columns[name] = column if order is None else column[order]
        arrays.clear()
    return columns


def read_image_labels(path: str | Path, mids: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the image-level labels: image_ids, offsets, labels and confidences."""
    wanted = dict(ImageID=pa.string(), LabelName=pa.string(), Confidence=pa.float32())
    rows, confidences = _Rows(mids), []
    for batch in _batches(Path(path), wanted, {}):
        confidences.append(batch['Confidence'].to_numpy()[rows.add(batch)])
    columns = rows.columns()
    order = columns.pop('order')
    column = np.concatenate([*confidences, np.zeros(0, np.float32)])
    columns['confidences'] = column if order is None else column[order]
    return columns


class _Rows:
    """Gathers image and label of each row; ids are kept once an image."""

    def __init__(self, mids: Sequence[str]) -> None:
        self.mids = pa.array(mids, pa.string())
        self.num_rows = 0
        self._ids: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._unknown: dict[str, int] = {}

    def add(self, batch: pa.RecordBatch) -> np.ndarray:
        """Take a batch; return which of its rows are kept."""
        self.num_rows += len(batch)
        found = pc.index_in(batch['LabelName'], self.mids)
        is_known = pc.is_valid(found).to_numpy(zero_copy_only=False)
        if not is_known.all():
            names = batch['LabelName'].filter(pa.array(~is_known))
            for one in pc.value_counts(names).to_pylist():
                name = one['values']
                self._unknown[name] = self._unknown.get(name, 0) + one['counts']
        self._labels.append(found.drop_null().to_numpy().astype(np.int16))
        ids = batch['ImageID'].filter(pa.array(is_known))
        if len(ids):
            is_new = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
            starts = np.concatenate([[0], np.flatnonzero(is_new) + 1])
            firsts = ids.take(pa.array(starts)).to_numpy(zero_copy_only=False)
            self._ids.append(firsts.astype(np.bytes_))
            self._lengths.append(np.diff(starts, append=len(ids)))
        return is_known

    def columns(self) -> dict[str, np.ndarray | None]:
        """Return the columns, and the order that brings images together, if needed."""
        ids = np.concatenate([*self._ids, np.zeros(0, 'S1')])
        lengths = np.concatenate([*self._lengths, np.zeros(0, np.int64)])
        labels = np.concatenate([*self._labels, np.zeros(0, np.int16)])
        # An image goes on over the end of a block, or comes again further on.
        unique, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
        by_file = np.argsort(first, kind='stable')
        place = np.empty(len(unique), dtype=np.int64)
        place[by_file] = np.arange(len(unique))
        runs = place[inverse]
        order = None
        if (np.diff(runs) < 0).any():
            order = np.argsort(np.repeat(runs, lengths), kind='stable')
            labels = labels[order]
        counts = np.bincount(runs, weights=lengths, minlength=len(unique))
        return dict(
            image_ids=unique[by_file],
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            labels=labels,
            order=order,
            unknown_labels=np.array(list(self._unknown), dtype=np.bytes_),
            unknown_counts=np.array(list(self._unknown.values()), dtype=np.int64),
        )


def _batches(path: Path, wanted: dict, optional: dict):
    """Yield record batches with the named columns; those of ``optional`` if there."""
    try:
        with open(path, newline='') as stream:
            header = next(csv.reader(stream), [])
        missing = [name for name in wanted if name not in header]
        if missing:
            raise UserError(
                f'{path}: expected a header line with {", ".join(wanted)}, it has no '
                f'{", ".join(missing)}; name the official CSV file'
            )
        types = wanted | {k: v for k, v in optional.items() if k in header}
        reader = pa_csv.open_csv(
            path,
            pa_csv.ReadOptions(block_size=_BLOCK_BYTES),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(types), column_types=types
            ),
        )
        for batch in reader:
            holes = [name for name in types if batch[name].null_count]
            if holes:
                raise UserError(
                    f'{path}: expected a value in every row of {", ".join(holes)}, '
                    'some have none; fetch it again'
                )
            yield batch
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f'{path}: expected a CSV file of OpenImages, it cannot be read '
            f'({str(error).splitlines()[0]}); fetch it again'
        ) from error
