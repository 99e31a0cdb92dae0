"""A part of a data set: fewer images, fewer classes, or none with a super-category.

Li et al. 2019 pre-train without vehicles and without animals (Table 2) and on less
data. What is left out never becomes background: boxes of classes that are not kept are
ignored, and images of excluded classes go.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from torch.utils.data import Dataset

from mmdetxfer.chips import TRUTH, image_keys
from mmdetxfer.datasets.box_columns import BoxColumns, box_columns
from mmdetxfer.datasets.image_choice import (
    choose_images,
    chosen_classes,
    chosen_columns,
)
from mmdetxfer.datasets.synset_files import read_is_a
from mmdetxfer.errors import UserError
from mmdetxfer.registry import DATASETS
from mmdetxfer.scoring.super_categories import (
    LISTED_CLASSES,
    MEMBERS,
    SYNSETS,
    descendants,
    members_by_matrix,
)

_MOST_TRIES = 1000


@DATASETS.register_module()
class SubsetDataset(Dataset):
    """Part of a detection data set, or of ``ImageNetLocDataset`` as classification.

    In a config::

        dict(
            type='mmdetxfer.SubsetDataset',
            dataset=dict(type='CocoDataset', ...),
            exclude_super_category='vehicle',
            fraction=0.5,
            seed=0,
        )

    Counts before and after are in the log and in ``metainfo['subset']``, which every
    checkpoint holds.

    Args:
        dataset: The data set or its config; wrappers included.
        fraction: Share of the images that remain after the other rules.
        max_instances: The most boxes.
        num_classes: How many classes, drawn at random; boxes of the others are ignored.
        exclude_super_category: 'vehicle' or 'animal' (classes of VOC and COCO, synsets
            by ``is_a_file``), a class of a data set that has a hierarchy, or a name of
            ``members``.
        members: Classes of each super-category, for names that are not built in.
        is_a_file: Lines of parent and child synset, for classes that are synsets.
        ignore_excluded: Whether images with excluded classes stay, these boxes ignored.
        keep_numbers: Whether classes keep their labels, those that are left out
            without a box: a head of all classes fits, however many are left.
        seed: Of all that is random.
        pipeline: Transforms; by default the data set's own.
    """

    # Whoever counts labels must ask here and not the data set within.
    has_own_labels = True

    def __init__(
        self,
        dataset: Any,
        fraction: float = 1.0,
        max_instances: int | None = None,
        num_classes: int | None = None,
        exclude_super_category: str | None = None,
        members: dict[str, Sequence[str]] | None = None,
        is_a_file: str | None = None,
        ignore_excluded: bool = False,
        keep_numbers: bool = False,
        seed: int = 0,
        pipeline: Sequence[dict | Callable] | None = None,
    ) -> None:
        """Choose the images."""
        if not 0 < fraction <= 1:
            raise UserError(f'fraction: expected a share of 1, got {fraction}')
        if isinstance(dataset, dict):
            dataset = MMENGINE_DATASETS.build(dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        self.dataset = dataset
        own = getattr(dataset, 'pipeline', None)
        self.pipeline = own if pipeline is None else Compose(pipeline)
        self.all_classes = tuple(dataset.metainfo['classes'])
        self.members, self.is_a_file = members or {}, is_a_file
        self.excluded: tuple[str, ...] = ()
        if num_classes is not None and not 0 < num_classes <= len(self.all_classes):
            raise UserError(
                f'num_classes: expected 1 to {len(self.all_classes)}, got {num_classes}'
            )
        columns = self._columns()
        excluded = self._excluded(exclude_super_category)
        num_all = len(self.all_classes)
        keys = image_keys(columns.ids)
        self.choice = choose_images(
            columns,
            keys,
            seed,
            chosen_classes(num_all, excluded, num_classes, seed),
            excluded,
            ignore_excluded,
            fraction,
            max_instances,
        )
        if len(self.choice.rows) == 0:
            raise UserError(
                f'SubsetDataset: of {len(keys):,} images none is left; take a larger '
                'fraction or max_instances, or exclude less'
            )
        self._num_left = len(self.choice.classes)
        if keep_numbers:
            self.choice = replace(self.choice, classes=np.arange(num_all))
        self._label_of = {int(k): new for new, k in enumerate(self.choice.classes)}
        self._is_ignored = self.choice.is_ignored
        self._offsets = columns.offsets
        self.metainfo = self._metainfo(columns)

    def _columns(self) -> BoxColumns:
        return box_columns(self.dataset, lambda text: print_log(text, 'current'))

    def _excluded(self, name: str | None) -> np.ndarray:
        """Return the labels of a super-category."""
        if name is None:
            return np.zeros(0, dtype=np.int64)
        found = set(self.members.get(name, ()))
        if name not in self.members and LISTED_CLASSES.issuperset(self.all_classes):
            found |= set(MEMBERS.get(name, ()))
        matrix = self.dataset.metainfo.get('RELATION_MATRIX')
        if matrix is not None:
            found.update(members_by_matrix(self.all_classes, matrix, name))
        if self.is_a_file is not None and name in SYNSETS:
            found |= descendants(SYNSETS[name], read_is_a(self.is_a_file))
        labels = [k for k, one in enumerate(self.all_classes) if one in found]
        if not labels:
            raise UserError(
                f'exclude_super_category: none of the {len(self.all_classes)} classes '
                f'is known as a {name} ({", ".join(self.all_classes[:3])} ...): lists '
                'are built in for the classes of VOC and COCO alone; name yours by '
                'members, or the is-a file of synsets by is_a_file'
            )
        self.excluded = tuple(self.all_classes[label] for label in labels)
        print_log(
            f'subset: without {name}: {", ".join(self.excluded)}', logger='current'
        )
        return np.array(labels)

    def _metainfo(self, columns: BoxColumns) -> dict:
        kept = chosen_columns(columns, self.choice)
        counts = dict(
            images=(len(columns.offsets) - 1, len(self.choice.rows)),
            boxes=(
                int((columns.kinds == TRUTH).sum()),
                int((kept.kinds == TRUTH).sum()),
            ),
            classes=(len(self.all_classes), self._num_left),
        )
        print_log(
            'subset: '
            + ', '.join(
                f'{before:,} -> {after:,} {k}' for k, (before, after) in counts.items()
            ),
            'current',
        )
        classes = tuple(self.all_classes[k] for k in self.choice.classes)
        info = {**self.dataset.metainfo, 'classes': classes}
        for name in ('palette', 'RELATION_MATRIX'):
            rows = info.get(name)
            if rows is not None and len(rows) == len(self.all_classes):
                info[name] = [rows[k] for k in self.choice.classes]
        if 'RELATION_MATRIX' in info:
            matrix = np.array(info['RELATION_MATRIX'])
            info['RELATION_MATRIX'] = matrix[:, self.choice.classes]
        subset = {
            f'{name}_{when}': value
            for name, pair in counts.items()
            for when, value in zip(('before', 'after'), pair, strict=True)
        }
        return {**info, 'subset': {**subset, 'excluded': self.excluded}}

    def full_init(self) -> None:
        """Do nothing: the data set is ready since it was built."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.choice.rows)

    def get_data_info(self, index: int) -> dict:
        """Return an image's annotation with the new labels."""
        row = int(self.choice.rows[int(index)])
        info = self.dataset.get_data_info(row)
        ignored = self._is_ignored[self._offsets[row] : self._offsets[row + 1]]
        for instance, is_ignored in zip(info['instances'], ignored, strict=True):
            if is_ignored:
                instance.update(ignore_flag=1, bbox_label=0)
            else:
                instance['bbox_label'] = self._label_of[instance['bbox_label']]
        if 'gt_label' in info:
            # An image of another class than is kept stays for the sake of a kept box.
            kept = [
                one['bbox_label']
                for one in info['instances']
                if not one.get('ignore_flag')
            ]
            info['gt_label'] = self._label_of.get(info['gt_label'], kept[0])
        info['sample_idx'] = int(index)
        return info

    def get_cat_ids(self, index: int) -> list[int]:
        """Return the labels of an image's boxes, those of ignored ones left out."""
        instances = self.get_data_info(index)['instances']
        return [one['bbox_label'] for one in instances if not one.get('ignore_flag')]

    def box_columns(self) -> BoxColumns:
        """Return the boxes of the images that are kept."""
        return chosen_columns(self._columns(), self.choice)

    def __getitem__(self, index: int) -> Any:
        """Return an item; another in place of one that the pipeline drops."""
        if self.pipeline is None:
            raise UserError(
                f'SubsetDataset: {type(self.dataset).__name__} has no pipeline of its '
                'own; name one by pipeline'
            )
        for _ in range(_MOST_TRIES):
            item = self.pipeline(self.get_data_info(index))
            if item is not None:
                return item
            index = np.random.randint(len(self))
        raise UserError(f'SubsetDataset: the pipeline dropped {_MOST_TRIES} items')
