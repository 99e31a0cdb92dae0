"""ImageNet-Loc: boxes of ILSVRC's XML files, for detection and for classification.

The images hold one class each, so that the very same samples train a detector and, by
``gt_label``, a classifier (Li et al. 2019, Tables 2 and 7). ImageNet-DET's validation
has the same format with several classes an image.

ILSVRC counts pixels from 0 and boxes include their last one; here they end one further,
as in COCO.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmdetxfer.datasets.annotation_files import read_voc
from mmdetxfer.datasets.audit import AuditTable
from mmdetxfer.datasets.box_columns import Reporter
from mmdetxfer.datasets.column_store import load_columns, stored_columns
from mmdetxfer.datasets.synset_files import read_synsets
from mmdetxfer.errors import UserError
from mmdetxfer.registry import DATASETS


@DATASETS.register_module()
class ImageNetLocDataset(BaseDataset):
    """Images with ILSVRC's boxes; those without a box are items of tests only.

    In a config of mmdet or mmpretrain::

        dict(
            type='mmdetxfer.ImageNetLocDataset',
            data_root='data/ILSVRC/',
            ann_file='Annotations/CLS-LOC/train',
            data_prefix=dict(img='Data/CLS-LOC/train'),
            synsets='LOC_synset_mapping.txt',
        )

    Args:
        ann_file: The folder of XML files, with or without a folder for each synset.
        synsets: Classes in label order: synsets, or a file whose lines begin with one.
            None: those that occur, sorted, as sorted folders are labelled.
        suffix: Ending of the image files.
        cache_dir: Where columns are kept, ``~/.cache/mmdetxfer/annotations`` by
            default.
        **kwargs: Of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        ann_file: str,
        synsets: str | Sequence[str] | None = None,
        suffix: str = '.JPEG',
        cache_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the folders."""
        self.synsets, self.suffix, self.cache_dir = synsets, suffix, cache_dir
        kwargs.setdefault('data_prefix', dict(img=''))
        for name in ('metainfo', 'filter_cfg'):
            if kwargs.get(name):
                raise UserError(
                    f'ImageNetLocDataset: expected no {name}, got {kwargs[name]}; '
                    'classes are named by synsets'
                )
        super().__init__(ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return the images, out of columns that are read from XML files once."""
        columns = self._columns()
        found = columns['synsets'].astype(np.str_).tolist()
        classes = self._classes(found)
        label_of = {one: k for k, one in enumerate(classes)}
        labels = np.array([label_of.get(one, -1) for one in found], dtype=np.int64)
        labels = labels[columns['labels']]
        self._metainfo['classes'] = classes
        items = []
        boxes = columns['boxes'].tolist()
        for row, name in enumerate(columns['names'].astype(np.str_).tolist()):
            width, height = columns['sizes'][row].tolist()
            own = range(*columns['offsets'][row : row + 2].tolist())
            # Boxes of other synsets are no background.
            instances = [
                dict(
                    bbox=boxes[k],
                    bbox_label=max(int(labels[k]), 0),
                    ignore_flag=int(labels[k] < 0),
                )
                for k in own
            ]
            kept = [int(labels[k]) for k in own if labels[k] >= 0]
            if not kept and not self.test_mode:
                continue
            item = dict(img_id=name, width=width, height=height, instances=instances)
            item['img_path'] = f'{self.data_prefix["img"]}/{name}{self.suffix}'
            if kept:
                item['gt_label'] = kept[0]
            items.append(item)
        num_boxes = int((labels >= 0).sum())
        print_log(
            f'{self.ann_file}: {len(items):,} images with {num_boxes:,} boxes of '
            f'{len(set(labels.tolist()) - {-1}):,} of {len(classes):,} synsets; '
            f'{len(labels) - num_boxes:,} boxes of other synsets are ignored',
            'current',
        )
        if num_boxes == 0:
            raise UserError(
                f'{self.ann_file}: expected XML files with boxes of {classes[:3]} ..., '
                'got none; name the folder of one split'
            )
        return items

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels of an image's boxes, those of ignored ones left out."""
        instances = self.get_data_info(idx)['instances']
        return [one['bbox_label'] for one in instances if not one['ignore_flag']]

    def _classes(self, found: list[str]) -> tuple[str, ...]:
        if self.synsets is None:
            return tuple(sorted(found))
        if isinstance(self.synsets, str):
            return read_synsets(Path(self.data_root or '', self.synsets))
        return read_synsets(self.synsets)

    def _columns(self) -> dict[str, np.ndarray]:
        """Map the columns of the folder; they hold as long as its folders do."""
        folder = Path(self.ann_file)
        if not folder.is_dir():
            raise UserError(f'{folder}: expected a folder of XML files, there is none')
        settings = dict(folder=str(folder.resolve()), state=state_of(folder))
        kept = stored_columns(
            'imagenet-loc', [], settings, lambda: xml_columns(folder), self.cache_dir
        )
        return load_columns(kept)


def state_of(folder: Path) -> str:
    """Return a hash of name, size and time of change of all XML files."""
    digest = hashlib.sha256()
    left = [str(folder)]
    while left:
        entries = sorted(os.scandir(left.pop()), key=lambda one: one.name)
        left.extend(one.path for one in entries if one.is_dir())
        for one in entries:
            if one.name.endswith('.xml'):
                state = one.stat()
                line = f'{one.path} {state.st_size} {state.st_mtime_ns}\n'
                digest.update(line.encode())
    return digest.hexdigest()


def xml_columns(folder: Path) -> dict[str, np.ndarray]:
    """Read all XML files of a folder and its sub-folders into columns."""
    paths = sorted(folder.rglob('*.xml'))
    names = [path.relative_to(folder).with_suffix('').as_posix() for path in paths]
    report = Reporter(f'reading {folder}', lambda text: print_log(text, 'current'))

    def files():
        for number, path in enumerate(paths):
            report(number, len(paths))
            yield names[number], str(path)

    table = AuditTable()
    read = read_voc(files(), table, folder.name, with_boxes=True)
    findings = [one for examples in table.examples.values() for one in examples]
    if findings or np.isnan(read.image_sizes).any():
        what = findings or [names[int(np.isnan(read.image_sizes).any(1).argmax())]]
        raise UserError(
            f'{folder}: expected XML files with a size and boxes, got {what[0]}; look '
            'with tools/analysis_tools/audit_dataset.py, fetch it again or remove it'
        )
    # The reader takes VOC's 1 off, and the box ends behind its last pixel.
    boxes = read.boxes.astype(np.float32) + np.array([1, 1, 2, 2], np.float32)
    counts = np.bincount(read.object_images, minlength=len(names))
    return dict(
        names=np.array(names, dtype=np.bytes_),
        sizes=read.image_sizes.astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        boxes=boxes,
        labels=read.object_classes.astype(np.int32),
        synsets=np.array(read.class_names, dtype=np.bytes_),
    )
