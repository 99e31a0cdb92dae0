"""Saved predictions in a plain format: what every analysis of this package reads.

Detection: one row a box (float32 xyxy corners in pixels of the original image, score,
label index), beside the ids of all images, those without boxes too. Classification: one
row of scores an image. Both as ``.npz`` (without pickled objects) or ``.parquet``.
Segmentation: a folder with one 8-bit PNG of label indices an image, named by the
image's id, and ``manifest.json``. All hold the class names and the SHA-256 of the
weights.
"""

import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from mmdetxfer.errors import UserError
from mmdetxfer.text_files import TEMPORARY_SUFFIX, write_text_atomically

FORMAT_VERSION = 1
MANIFEST = 'manifest.json'


@dataclass(frozen=True)
class PredictionHeader:
    """What predictions belong to.

    Args:
        task: 'detection', 'classification' or 'segmentation'.
        classes: Class names in the order of the label indices.
        weights_sha256: Hash of the checkpoint file that made them.
        config: File name of the config.
    """

    task: str
    classes: tuple[str, ...]
    weights_sha256: str
    config: str

    def to_json(self) -> str:
        """Return one line of JSON, with the format's version."""
        plain = {**self.__dict__, 'version': FORMAT_VERSION}
        return json.dumps({**plain, 'classes': list(self.classes)})


@dataclass(frozen=True)
class Predictions:
    """Predictions of a detector or classifier.

    Args:
        header: What they belong to.
        image_ids: Ids of all N images, as strings.
        columns: Detection: ``image_index`` (M,) int64, ``boxes`` (M, 4) float32,
            ``scores`` (M,) float32, ``labels`` (M,) int64, and ``masks`` (M,) strings
            if the model gives masks (height, width and COCO's compressed run lengths,
            with spaces between). Classification: ``scores`` (N, K) float32.
    """

    header: PredictionHeader
    image_ids: tuple[str, ...]
    columns: dict[str, np.ndarray] = field(default_factory=dict)


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Write ``.npz`` or ``.parquet``, in one step."""
    temporary = path.with_name(f'{path.stem}{TEMPORARY_SUFFIX}{path.suffix}')
    if path.suffix == '.npz':
        np.savez_compressed(
            temporary,
            header=np.array(predictions.header.to_json()),
            image_ids=np.array(predictions.image_ids, dtype=np.str_),
            **predictions.columns,
        )
    elif path.suffix == '.parquet':
        _write_parquet(temporary, predictions)
    else:
        raise _unknown_ending(path)
    temporary.replace(path)


def load_predictions(path: Path) -> Predictions:
    """Read what :func:`save_predictions` wrote; no pickle is ever opened."""
    readers = {'.npz': _read_npz, '.parquet': _read_parquet}
    if path.suffix not in readers:
        raise _unknown_ending(path)
    try:
        return readers[path.suffix](path)
    except KeyError as error:
        raise UserError(
            f'{path}: expected predictions that tools/test.py --out wrote, it has no '
            f'{error}; name another file'
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f'{path}: expected predictions that tools/test.py --out wrote, it cannot '
            f'be read as such ({reason}); make them again'
        ) from error


def label_map_name(image_id: str) -> str:
    """Return the file name of an image's label map: the id, quoted where needed."""
    return quote(image_id, safe=' ') + '.png'


def write_manifest(folder: Path, header: PredictionHeader, images: list[str]) -> None:
    """Write the list that makes a folder of label maps complete."""
    files = {one: label_map_name(one) for one in sorted(images)}
    body = {**json.loads(header.to_json()), 'files': files}
    write_text_atomically(folder / MANIFEST, json.dumps(body, indent=1) + '\n')


def read_manifest(folder: Path) -> tuple[PredictionHeader, dict[str, Path]]:
    """Return the header and the label map of each image id; all files must be there."""
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            f'{folder}: expected predictions of a segmentor with {MANIFEST}, there is '
            'none; make them with tools/test.py --out FOLDER'
        )
    try:
        body = json.loads(path.read_text())
        files = {one: folder / name for one, name in body['files'].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(
            f'{path}: expected a manifest of label maps, it cannot be read, {error!r}; '
            'run tools/test.py --out again'
        ) from error
    missing = [one for one, file in files.items() if not file.is_file()]
    if missing:
        raise UserError(
            f'{folder}: {len(missing)} of {len(files)} label maps are missing, the '
            f'first for image {missing[0]!r}; run tools/test.py --out again'
        )
    return _header(path.read_text(), path), files


def _header(text: str, path: Path) -> PredictionHeader:
    plain = json.loads(text)
    if plain.get('version') != FORMAT_VERSION:
        raise UserError(
            f'{path}: expected version {FORMAT_VERSION} of the predictions format, it '
            f'is {plain.get("version")}; make the predictions again'
        )
    keys = ('task', 'weights_sha256', 'config')
    named = {key: plain[key] for key in keys}
    return PredictionHeader(classes=tuple(plain['classes']), **named)


def _read_npz(path: Path) -> Predictions:
    with np.load(path, allow_pickle=False) as arrays:
        columns = dict(arrays)
    header = _header(str(columns.pop('header')), path)
    ids = tuple(str(one) for one in columns.pop('image_ids'))
    return Predictions(header, ids, columns)


def _write_parquet(path: Path, predictions: Predictions) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def column(values: np.ndarray) -> pa.Array:
        if values.ndim == 1:
            return pa.array(values)
        flat = pa.array(values.reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])

    table = pa.table({k: column(v) for k, v in predictions.columns.items()})
    metadata = {
        'header': predictions.header.to_json(),
        'image_ids': json.dumps(predictions.image_ids),
    }
    pq.write_table(table.replace_schema_metadata(metadata), path)


def _read_parquet(path: Path) -> Predictions:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    columns = {}
    for name in table.column_names:
        chunk = table.column(name).combine_chunks()
        if hasattr(chunk.type, 'list_size'):
            flat = chunk.flatten().to_numpy(zero_copy_only=False)
            columns[name] = flat.reshape(len(chunk), chunk.type.list_size)
        else:
            values = chunk.to_numpy(zero_copy_only=False)
            is_text = values.dtype == object
            columns[name] = values.astype(np.str_) if is_text else values
    raw = table.schema.metadata or {}
    metadata = {key.decode(): value.decode() for key, value in raw.items()}
    ids = tuple(json.loads(metadata['image_ids']))
    return Predictions(_header(metadata['header'], path), ids, columns)


def _unknown_ending(path: Path) -> UserError:
    return UserError(
        f'{path}: expected a name that ends in .npz or .parquet (a .pkl is never read)'
    )
