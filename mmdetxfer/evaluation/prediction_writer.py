"""Writes a test run's predictions in the plain format (``mmdetxfer.predictions``).

An image is named by the data set's own id; where the host keeps none (mmseg and
mmpretrain), by its path under the folder of the images without the ending, so that
images of equal names in different folders stay apart.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric, DumpResults
from mmengine.logging import MMLogger

from mmdetxfer.errors import UserError
from mmdetxfer.predictions import (
    MANIFEST,
    PredictionHeader,
    Predictions,
    label_map_name,
    save_predictions,
    write_manifest,
)
from mmdetxfer.text_files import sha256_of_file

_TASKS = {
    'mmdet': 'detection',
    'mmpretrain': 'classification',
    'mmseg': 'segmentation',
}


def prediction_writer(out: str, cfg: Any, checkpoint: str) -> BaseMetric:
    """Return the metric that writes predictions to ``out``; its ending decides how.

    Args:
        out: ``.npz`` or ``.parquet`` for detection and classification, a folder for
            segmentation, ``.pkl`` for the host's own dump.
        cfg: The config; its ``default_scope`` decides the task.
        checkpoint: The weights, whose hash is written down.
    """
    path = Path(out)
    if path.suffix in ('.pkl', '.pickle'):
        return _host_dump(out, cfg)
    task = _TASKS.get(cfg.get('default_scope'))
    if task is None:
        raise UserError(
            f'--out {out}: expected default_scope {", ".join(_TASKS)}, it '
            f"is {cfg.get('default_scope')!r}; .pkl writes the host's own format"
        )
    expected = 'a name that ends in .npz or .parquet'
    is_right = path.suffix in ('.npz', '.parquet')
    if task == 'segmentation':
        expected, is_right = 'a folder (a name without an ending)', not path.suffix
    if not is_right:
        raise UserError(f'--out {out}: expected {expected} for {task}, or .pkl')
    local = Path(checkpoint)
    digest = sha256_of_file(local) if local.is_file() else f'address:{checkpoint}'
    name = Path(cfg.filename or 'config').name
    return PredictionWriter(path, task, digest, name, image_root(cfg))


def image_root(cfg: Any) -> Path | None:
    """Return the folder of the test images; of several, the one they have in common."""
    folders = []
    for dataset in _innermost(cfg.test_dataloader.dataset):
        prefix = dataset.get('data_prefix') or ''
        if isinstance(prefix, dict):
            prefix = prefix.get('img_path') or prefix.get('img') or ''
        folders.append(os.path.join(dataset.get('data_root') or '', prefix))
    if not all(folders) or len({os.path.isabs(one) for one in folders}) != 1:
        return None
    common = os.path.commonpath(folders)
    return Path(common) if common else None


def _innermost(dataset: Any) -> Iterator[dict]:
    """Yield the data sets that a nest of wrappers reads."""
    inner = [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets')
    for one in inner or []:
        yield from _innermost(one)
    if not inner:
        yield dataset


def _host_dump(out: str, cfg: Any) -> BaseMetric:
    if cfg.get('default_scope') == 'mmdet':
        from mmdet.evaluation import DumpDetResults

        return DumpDetResults(out_file_path=out)
    return DumpResults(out_file_path=out)


def image_id_of(info: Mapping[str, Any], root: Path | None) -> str:
    """Return the data set's own id, else the image's path under the images' folder.

    Args:
        info: What is known of an image.
        root: What ``image_root`` says.
    """
    if 'img_id' in info:
        return str(info['img_id'])
    path = Path(info['img_path'])
    if root is not None and path.is_relative_to(root):
        path = path.relative_to(root)
    return path.with_suffix('').as_posix()


class PredictionWriter(BaseMetric):
    """A metric without a score: it gathers predictions and writes one file or folder.

    Args:
        path: Where to write.
        task: 'detection', 'classification' or 'segmentation'.
        weights_sha256: Hash of the checkpoint.
        config: File name of the config.
        image_root: Folder that images without an id are named relative to.
    """

    default_prefix = 'predictions'

    def __init__(
        self,
        path: Path,
        task: str,
        weights_sha256: str,
        config: str,
        image_root: Path | None = None,
    ) -> None:
        """Prepare the place; the classes come from the data set."""
        super().__init__()
        self.path, self.task, self.image_root = path, task, image_root
        self.weights_sha256, self.config = weights_sha256, config
        self._seen: set[str] = set()
        folder = path if task == 'segmentation' else path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if task == 'segmentation':
                # A folder without a manifest is incomplete: an old one must not vouch
                # for the label maps of this run.
                (folder / MANIFEST).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f'--out {path}: {folder} cannot be made ({error.strerror}); name '
                'another place'
            ) from error

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep one plain row an image; label maps are written at once."""
        for sample in data_samples:
            image_id = self._image_id(sample)
            if image_id in self._seen:
                raise _twice(image_id)
            self._seen.add(image_id)
            row = getattr(self, f'_{self.task}')(sample, image_id)
            self.results.append((image_id, row))

    def compute_metrics(self, results: list) -> dict:
        """Write the file or the manifest (on rank 0), in the order of the test set."""
        classes = (self.dataset_meta or {}).get('classes') or ()
        header = PredictionHeader(
            self.task, tuple(classes), self.weights_sha256, self.config
        )
        ids = [image_id for image_id, _ in results]
        if len(set(ids)) != len(ids):
            raise _twice(next(one for one in ids if ids.count(one) > 1))
        if self.task == 'segmentation':
            write_manifest(self.path, header, ids)
        else:
            columns = self._columns([row for _, row in results])
            save_predictions(self.path, Predictions(header, tuple(ids), columns))
        logger = MMLogger.get_current_instance()
        logger.info(f'predictions of {len(ids)} images written to {self.path}')
        return {}

    def _image_id(self, sample: dict) -> str:
        return image_id_of(sample, self.image_root)

    def _detection(self, sample: dict, image_id: str) -> dict:
        found = sample['pred_instances']
        row = {
            'boxes': _array(found['bboxes'], np.float32).reshape(-1, 4),
            'scores': _array(found['scores'], np.float32),
            'labels': _array(found['labels'], np.int64),
        }
        if 'masks' in found:
            row['masks'] = _run_lengths(found['masks'])
        return row

    def _classification(self, sample: dict, image_id: str) -> dict:
        return {'scores': _array(sample['pred_score'], np.float32)[None]}

    def _segmentation(self, sample: dict, image_id: str) -> None:
        labels = _array(sample['pred_sem_seg']['data'], np.int64)
        if labels.max() > 255:
            raise UserError(
                f'--out {self.path}: label maps have 8 bits, expected label indices up '
                f'to 255, got {labels.max()}'
            )
        path = self.path / label_map_name(image_id)
        pixels = labels.reshape(labels.shape[-2:]).astype(np.uint8)
        if not cv2.imwrite(str(path), pixels):
            raise UserError(f'--out: {path} could not be written')

    def _columns(self, rows: list[dict]) -> dict[str, np.ndarray]:
        if not rows:
            raise UserError('--out: the test set has no images, nothing to write')
        columns = {key: np.concatenate([r[key] for r in rows]) for key in rows[0]}
        if self.task == 'detection':
            counts = [len(row['scores']) for row in rows]
            columns['image_index'] = np.repeat(np.arange(len(rows)), counts)
        return columns


def _twice(image_id: str) -> UserError:
    return UserError(
        f'--out: two images of the test set have the id {image_id!r}; test the data '
        'sets one by one, each to a place of its own'
    )


def _array(values: Any, dtype: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu().numpy(), dtype=dtype)


def _run_lengths(masks: Any) -> np.ndarray:
    """Encode (M, H, W) masks: height, width, COCO's compressed run lengths."""
    from pycocotools import mask as coco_mask

    encoded = [
        coco_mask.encode(np.asfortranarray(np.asarray(one.cpu(), np.uint8)))
        for one in masks
    ]
    texts = [f'{m["size"][0]} {m["size"][1]} {m["counts"].decode()}' for m in encoded]
    return np.array(texts, dtype=np.str_)
