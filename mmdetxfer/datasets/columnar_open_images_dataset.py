"""OpenImages with all of its 14.6 million boxes in columns that workers share.

What an item is made of is what mmdet's own readers give, so that its pipelines and its
``OpenImagesMetric`` take it; V4 and the challenge by the same class.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init
from mmengine.logging import print_log
from mmengine.utils import is_abs

from mmdetxfer.chips import IGNORED, TRUTH
from mmdetxfer.datasets.box_columns import BoxColumns, Reporter
from mmdetxfer.datasets.column_store import (
    differences,
    load_columns,
    stored_columns,
)
from mmdetxfer.datasets.image_sizes import (
    NO_SIZE,
    changed_sizes,
    sizes_from_csv,
    sizes_from_headers,
)
from mmdetxfer.datasets.openimages_columns import (
    FLAGS,
    ancestors_matrix,
    read_boxes,
    read_classes,
    read_hierarchy,
    read_image_labels,
)
from mmdetxfer.errors import UserError
from mmdetxfer.registry import DATASETS

_IS_GROUP = np.uint8(1 << FLAGS.index('IsGroupOf'))
_CHALLENGE_CLASSES = 500
_FLAG_KEYS = ('is_occluded', 'is_truncated', 'is_group_of', 'is_depiction', 'is_inside')


@DATASETS.register_module()
class ColumnarOpenImagesDataset(BaseDataset):
    """OpenImages out of its official CSV files.

    In a config::

        dict(
            type='mmdetxfer.ColumnarOpenImagesDataset',
            data_root='data/OpenImages/',
            ann_file='annotations/train-annotations-bbox.csv',
            label_file='annotations/class-descriptions-boxable.csv',
            data_prefix=dict(img='OpenImages/train/'),
            hierarchy_file='annotations/bbox_labels_600_hierarchy.json',
        )

    Boxes of groups are ignored in training, where an assigner must ask for it
    (``ignore_iof_thr`` above 0, as ``configs/sniper`` sets it; mmdet's own detectors
    make background of ignored boxes); the metric knows them by ``is_group_of``.

    Args:
        ann_file: The boxes.
        label_file: The classes in label order: MID and name, without a header.
        hierarchy_file: The official JSON file; the metric needs it.
        image_level_ann_file: Human-verified image-level labels, for the metric.
        size_file: CSV file with ImageID, Width, Height; without one sizes are read from
            the image files, once.
        drop_missing_images: Whether images without a readable file are left out, for
            a partial download; else they are an error.
        cache_dir: Where columns and sizes are kept, ``~/.cache/mmdetxfer/annotations``
            by default.
        **kwargs: Of mmengine's ``BaseDataset``; ``filter_cfg=dict(min_size=..)`` drops
            images whose shorter side is less.
    """

    def __init__(
        self,
        ann_file: str,
        label_file: str,
        hierarchy_file: str | None = None,
        image_level_ann_file: str | None = None,
        size_file: str | None = None,
        drop_missing_images: bool = False,
        cache_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the files; they are read when the first item is asked for."""
        self.label_file = label_file
        self.hierarchy_file = hierarchy_file
        self.image_level_ann_file = image_level_ann_file
        self.size_file = size_file
        self.drop_missing_images = drop_missing_images
        self.cache_dir = cache_dir
        kwargs.setdefault('data_prefix', dict(img=''))
        unknown = set(kwargs.get('filter_cfg') or {}) - {'min_size', 'filter_empty_gt'}
        if unknown:
            raise UserError(
                f'filter_cfg: expected min_size (images without boxes are none), got '
                f'{", ".join(sorted(unknown))}'
            )
        super().__init__(ann_file=ann_file, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        names = ('label_file', 'hierarchy_file', 'image_level_ann_file', 'size_file')
        for name in names:
            path = getattr(self, name)
            if path and not is_abs(path) and self.data_root:
                setattr(self, name, str(Path(self.data_root, path)))

    def full_init(self) -> None:
        """Map the columns, make them if this is the first time."""
        if self._fully_initialized:
            return
        self.mids, names = read_classes(self.label_file)
        self._metainfo.setdefault('classes', tuple(names))
        # By this mmdet's metric finds the names that it prints.
        kind = 'oid_challenge' if len(names) == _CHALLENGE_CLASSES else 'oid_v6'
        self._metainfo['dataset_type'] = kind
        if tuple(self._metainfo['classes']) != tuple(names):
            raise UserError(
                f'{self.label_file}: its {len(names)} classes are not those of '
                'metainfo; leave metainfo out, or pick classes with SubsetDataset'
            )
        if self.hierarchy_file:
            matrix = ancestors_matrix(read_hierarchy(self.hierarchy_file), self.mids)
            self._metainfo['RELATION_MATRIX'] = matrix
        self._map_columns()
        self.rows = self._kept_rows()
        self._fully_initialized = True

    def _map_columns(self) -> None:
        self._folders = {'boxes': self._stored('boxes', self.ann_file, read_boxes)}
        if self.image_level_ann_file:
            self._folders['image_labels'] = self._stored(
                'image_labels', self.image_level_ann_file, read_image_labels
            )
        self._load()
        unknown = self._boxes['unknown_labels']
        if len(unknown):
            count = int(self._boxes['unknown_counts'].sum())
            print_log(
                f'{self.ann_file}: {count:,} boxes of {len(unknown)} labels that '
                f'{self.label_file} does not name are left out, first '
                f'{unknown[0].decode()}',
                'current',
            )
        self.sizes = self._read_sizes()

    def _load(self) -> None:
        loaded = {name: load_columns(path) for name, path in self._folders.items()}
        self._boxes = loaded['boxes']
        self._image_labels = loaded.get('image_labels')

    def _stored(self, kind: str, path: str, read: Any) -> Path:
        def make() -> Mapping[str, np.ndarray]:
            reporter = Reporter(f'reading {path}', lambda t: print_log(t, 'current'))
            if kind == 'boxes':
                return read(path, self.mids, reporter)
            return read(path, self.mids)

        settings = dict(mids=self.mids)
        return stored_columns(
            f'openimages-{kind}', [path], settings, make, self.cache_dir
        )

    def _read_sizes(self) -> np.ndarray:
        ids = self._boxes['image_ids']
        if self.size_file:
            self._folders['sizes'] = stored_columns(
                'openimages-sizes',
                [self.size_file, self.ann_file],
                dict(mids=self.mids),
                lambda: dict(sizes=sizes_from_csv(self.size_file, ids)),
                self.cache_dir,
            )
            return load_columns(self._folders['sizes'])['sizes']
        report = Reporter('reading image sizes', lambda t: print_log(t, 'current'))
        folder = self.data_prefix['img']
        return sizes_from_headers(folder, ids, '.jpg', self.cache_dir, report)

    def _kept_rows(self) -> np.ndarray:
        """Return which images are items."""
        is_missing = (self.sizes == NO_SIZE).any(1)
        ids = self._boxes['image_ids']
        if is_missing.any():
            first = ids[is_missing][0].decode()
            text = (
                f'{int(is_missing.sum()):,} of {len(ids):,} images of {self.ann_file} '
                f'have no readable file in {self.data_prefix["img"]}, first {first}.jpg'
            )
            if not self.drop_missing_images:
                raise UserError(
                    f'{text}; fetch them, or set drop_missing_images=True to go on '
                    'without them'
                )
            print_log(f'{text}; they are left out', 'current')
        min_size = 0 if self.test_mode else (self.filter_cfg or {}).get('min_size', 0)
        rows = np.flatnonzero(~is_missing & (self.sizes.min(1) >= min_size))
        if self._indices is not None:
            chosen = self._indices
            rows = rows[:chosen] if isinstance(chosen, int) else rows[list(chosen)]
        return rows

    @force_full_init
    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return an image's annotation as mmdet's reader does."""
        row = int(self.rows[idx])
        width, height = self.sizes[row].tolist()
        name = self._boxes['image_ids'][row].decode()
        some = slice(*self._boxes['offsets'][row : row + 2].tolist())
        corners = self._boxes['corners'][some] * np.array([width, height] * 2, 'f4')
        flags = np.unpackbits(
            self._boxes['flags'][some, None], axis=1, bitorder='little'
        )[:, : len(FLAGS)].astype(bool)
        labels = self._boxes['labels'][some]
        instances = [
            dict(
                bbox=box,
                bbox_label=label,
                ignore_flag=int(flag[FLAGS.index('IsGroupOf')]),
                **dict(zip(_FLAG_KEYS, flag, strict=True)),
            )
            for box, label, flag in zip(
                corners.tolist(), labels.tolist(), flags.tolist(), strict=True
            )
        ]
        info = dict(
            img_path=str(Path(self.data_prefix['img'], f'{name}.jpg')),
            img_id=name,
            width=width,
            height=height,
            instances=instances,
            sample_idx=int(idx),
        )
        if self._image_labels is not None:
            info.update(self._labels_of(self._boxes['image_ids'][row]))
        return info

    def _labels_of(self, image_id: bytes) -> dict[str, np.ndarray]:
        """Return the image-level labels as mmdet's metric takes them."""
        table = self._image_labels
        if not hasattr(self, '_label_order'):
            self._label_order = np.argsort(table['image_ids'])
        ids, order = table['image_ids'], self._label_order
        place = np.searchsorted(ids, image_id, sorter=order)
        some = slice(0, 0)
        if place < len(ids) and ids[order[place]] == image_id:
            some = slice(*table['offsets'][order[place] : order[place] + 2].tolist())
        return dict(
            image_level_labels=np.asarray(table['labels'][some], dtype=np.int64),
            confidences=np.asarray(table['confidences'][some]),
        )

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels of an image's boxes."""
        return [one['bbox_label'] for one in self.get_data_info(idx)['instances']]

    @force_full_init
    def box_columns(self) -> BoxColumns:
        """Return the boxes of all images at once, for who reads them by the million."""
        starts, stops = (self._boxes['offsets'][self.rows + k] for k in (0, 1))
        counts = stops - starts
        offsets = np.concatenate([[0], np.cumsum(counts)])
        is_whole = len(self.rows) == len(self.sizes)
        places = slice(None)
        if not is_whole:
            places = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
        sizes = self.sizes[self.rows]
        boxes = np.array(self._boxes['corners'][places])
        for axis in (0, 1):
            boxes[:, axis::2] *= np.repeat(sizes[:, axis], counts)[:, None]
        is_group = (self._boxes['flags'][places] & _IS_GROUP) > 0
        return BoxColumns(
            ids=self._boxes['image_ids'][self.rows].astype(np.str_),
            sizes=sizes,
            offsets=offsets,
            boxes=boxes,
            labels=self._boxes['labels'][places],
            kinds=np.where(is_group, IGNORED, TRUTH).astype(np.uint8),
        )

    @force_full_init
    def column_differences(self) -> list[str]:
        """Return which files are not as when the columns were made, by content."""
        found = [one for path in self._folders.values() for one in differences(path)]
        if not self.size_file:
            # The size of every image is known; a part of them is looked at again.
            where = (self.data_prefix['img'], self._boxes['image_ids'], '.jpg')
            changed = changed_sizes(*where, self.sizes)
            found.extend(f'{path} has another size now' for path in changed)
        return found

    def __getstate__(self) -> dict:
        """Leave mapped columns out: another process maps them itself."""
        state = self.__dict__.copy()
        for name in ('_boxes', '_image_labels'):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict) -> None:
        """Map the columns again."""
        self.__dict__.update(state)
        if '_folders' in state:
            self._load()
