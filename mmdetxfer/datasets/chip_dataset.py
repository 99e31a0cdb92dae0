"""Chips cut out of the images of any mmdet data set.

The sampler plans which (``ChipSampler``); an item here is one chip of one image, with
the image's annotation handed to the pipeline together with the chip.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import init_default_scope
from torch.utils.data import Dataset

from mmdetxfer.chips import BoxTable, Chip, ChipPlan, plan_epoch
from mmdetxfer.datasets.box_columns import box_table, has_inclusive_boxes, is_ignored
from mmdetxfer.errors import UserError
from mmdetxfer.registry import DATASETS


@DATASETS.register_module()
class ChipDataset(Dataset):
    """A detection data set whose items are chips.

    In a config, with ``sampler=dict(type='mmdetxfer.ChipSampler')`` and without a
    ``batch_sampler``::

        dataset=dict(
            type='mmdetxfer.ChipDataset',
            plan=dict(
                scales=[(1400, 2000), (800, 1280), (-1, 512)],
                valid_ranges=[(-1, 80), (32, 150), (120, -1)],
            ),
            dataset=dict(type='CocoDataset', ...),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='mmdetxfer.CropToChip'),
                dict(type='mmdetxfer.PackChipInputs'),
            ],
        )

    Args:
        dataset: The data set or its config; wrappers (joined, repeated, balanced)
            included. Its own pipeline is not used.
        plan: A ``ChipPlan`` or its arguments.
        pipeline: Transforms of a chip.
        proposals: Folder that ``tools/misc/extract_proposals.py`` filled for these
            images; negative chips (``num_negatives`` of the plan) are cut for them.
    """

    def __init__(
        self,
        dataset: Any,
        plan: ChipPlan | dict,
        pipeline: Sequence[dict | Callable],
        proposals: str | None = None,
    ) -> None:
        """Build the data set; its boxes are read when they are asked for."""
        if isinstance(dataset, dict):
            dataset = MMENGINE_DATASETS.build(dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        self.dataset = dataset
        self.plan = plan if isinstance(plan, ChipPlan) else ChipPlan(**plan)
        self.pipeline = Compose(pipeline)
        self.proposals = proposals
        if self.plan.num_negatives > 0 and proposals is None:
            raise UserError(
                f'ChipDataset: negative chips (num_negatives='
                f'{self.plan.num_negatives}) are cut for proposals; make them with '
                'tools/misc/extract_proposals.py and name their folder by proposals'
            )
        self.has_inclusive_boxes = has_inclusive_boxes(dataset)
        names = [type(step).__name__ for step in self.pipeline.transforms]
        if 'PackDetInputs' in names:
            raise UserError(
                'ChipDataset: expected mmdetxfer.PackChipInputs in the pipeline, got '
                'PackDetInputs, which would make background of boxes that are visible '
                'but not valid in a chip'
            )

    @property
    def metainfo(self) -> dict:
        """The data set's own."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Do nothing: the data set is ready since it was built."""

    def __len__(self) -> int:
        """Return the number of images; how many chips there are, the sampler knows."""
        return len(self.dataset)

    def get_data_info(self, index: int) -> dict:
        """Return an image's annotation; groups are ignored like crowds."""
        info = self.dataset.get_data_info(int(index))
        for instance in info.get('instances') or ():
            if is_ignored(instance):
                instance['ignore_flag'] = 1
        return info

    def box_table(self) -> BoxTable:
        """Read the boxes of all images."""
        return box_table(
            self.dataset, lambda text: print_log(text, 'current'), self.proposals
        )

    def __getitem__(self, index: int) -> Any:
        """Return the chip of a ``ChipIndex``, or of an image a chip drawn at random.

        The latter is what takes the place of an image that cannot be read.
        """
        info = self.get_data_info(index)
        chip = getattr(index, 'chip', None)
        info['chip'] = self._drawn_chip(info, int(index)) if chip is None else chip
        info['chip_plan'] = self.plan
        info['has_inclusive_boxes'] = self.has_inclusive_boxes
        return self.pipeline(info)

    def _drawn_chip(self, info: dict, index: int) -> Chip:
        """Plan one image by numpy's global generator and take one of its chips."""
        table = box_table(_OneImage(self, index))
        seed = int(np.random.randint(1 << 31))
        # A worker does not wait for a compiler.
        chips = plan_epoch(table, self.plan, seed, 0, backend='numpy')
        if len(chips) == 0:
            factor = float(self.plan.factors(table.widths, table.heights)[0, -1])
            last = (
                max(int(side[0] * factor), 1) - 1
                for side in (table.widths, table.heights)
            )
            corners = (0, 0, *last)
            return Chip(
                index, False, self.plan.num_scales - 1, True, factor, corners, ()
            )
        chip = chips.chip(int(np.random.randint(len(chips))))
        return chip._replace(image_index=index)


class _OneImage:
    """A view of one image of a data set, as a data set."""

    def __init__(self, dataset: Any, index: int) -> None:
        self.dataset, self.index = dataset, index

    def __len__(self) -> int:
        return 1

    def get_data_info(self, index: int) -> dict:
        return self.dataset.get_data_info(self.index + index)


def training_chips(cfg: Any) -> ChipDataset:
    """Build the training data of a config, which must be chips."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = MMENGINE_DATASETS.build(cfg.train_dataloader.dataset)
    if not isinstance(dataset, ChipDataset):
        raise UserError(
            'train_dataloader.dataset: expected a mmdetxfer.ChipDataset, got '
            f'{type(dataset).__name__}'
        )
    return dataset
