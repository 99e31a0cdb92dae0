"""Plans the chips of each epoch and hands them out, each rank its share.

An epoch has as many chips as epoch 0, however many later plans give: schedules are in
iterations. Later epochs are shuffled, then cut or filled up to that number.
"""

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Sampler

from mmdetxfer.chips import Chip, ChipTable, epoch_stride, plan_epoch
from mmdetxfer.chips.counter_hash import hash_counters
from mmdetxfer.chips.tables import boxes_only_in
from mmdetxfer.datasets.box_columns import Reporter
from mmdetxfer.datasets.chip_dataset import ChipDataset
from mmdetxfer.errors import UserError
from mmdetxfer.registry import DATA_SAMPLERS

# The stream of the order of chips; strides and images have others.
_ORDER = 0x4F52
# Rows that are Python objects at a time.
_BLOCK_ROWS = 4096


class ChipIndex(int):
    """The number of an image, with the chip of it that is meant.

    On its way to a worker it takes the chip along: workers hold no table.
    """

    _source: Chip | tuple[ChipTable, int]

    def __new__(cls, index: int, source: Chip | tuple[ChipTable, int]):
        """Make the index of an image with a chip, or where the chip stands."""
        self = super().__new__(cls, index)
        self._source = source
        return self

    @property
    def chip(self) -> Chip:
        """The chip."""
        if isinstance(self._source, Chip):
            return self._source
        table, row = self._source
        return table.chip(row)

    def __reduce__(self) -> tuple:
        """Travel to the workers."""
        return type(self), (int(self), self.chip)


@DATA_SAMPLERS.register_module()
class ChipSampler(Sampler):
    """Samples the chips of a ``ChipDataset``.

    In a config: ``sampler=dict(type='mmdetxfer.ChipSampler', shuffle=True)``.

    Args:
        dataset: A ``ChipDataset``.
        seed: Of the run; None: one for all ranks.
        shuffle: Whether chips come in random order, else image by image.
        num_threads: Threads that plan.
    """

    # An iteration loop that resumes may pass by whole epochs without planning them.
    has_equal_epochs = True

    def __init__(
        self,
        dataset: Any,
        seed: int | None = None,
        shuffle: bool = True,
        num_threads: int = 2,
    ) -> None:
        """Read the boxes and plan epoch 0, whose length holds for the whole run."""
        if not isinstance(dataset, ChipDataset):
            raise UserError(
                'ChipSampler: expected a data set of the type mmdetxfer.ChipDataset, '
                f'got {type(dataset).__name__}'
            )
        self.plan = dataset.plan
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle, self.num_threads = shuffle, num_threads
        self.table = dataset.box_table()
        self.epoch = 0
        self._chips, self._planned_epoch = self._planned(0), 0
        if len(self._chips) == 0:
            raise UserError(
                f'chips: no box of the {len(self.table)} images drives a chip; look '
                'with tools/analysis_tools/audit_dataset.py, and compare their sizes '
                f'with the valid ranges {self.plan.valid_ranges}'
            )
        self.num_samples = ceil(len(self._chips) / self.world_size)

    def __len__(self) -> int:
        """Return the number of chips of this rank in every epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that is sampled next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[ChipIndex]:
        """Yield this rank's chips of the epoch."""
        if self._planned_epoch != self.epoch:
            self._chips = None  # two plans at a time would be twice the memory
            self._chips, self._planned_epoch = self._planned(self.epoch), self.epoch
        chips = self._chips
        rows = self._rows(chips)
        for start in range(0, len(rows), _BLOCK_ROWS):
            some = rows[start : start + _BLOCK_ROWS]
            images = chips.image_indices[some]
            for image, row in zip(images.tolist(), some.tolist(), strict=True):
                yield ChipIndex(image, (chips, row))

    def _planned(self, epoch: int) -> ChipTable:
        report = Reporter('planning chips', lambda text: print_log(text, 'current'))
        chips = plan_epoch(
            self.table,
            self.plan,
            self.seed,
            epoch,
            num_threads=self.num_threads,
            progress=report,
        )
        counts = np.bincount(chips.scale_indices, minlength=self.plan.num_scales)
        print_log(
            f'epoch {epoch + 1}: {len(chips):,} chips of {len(self.table):,} images, '
            f'{" + ".join(f"{count:,}" for count in counts)} from the finest scale to '
            f'the coarsest, {int(chips.is_negative.sum()):,} negative, stride '
            f'{epoch_stride(self.plan, self.seed, epoch)}',
            'current',
        )
        return chips

    def _rows(self, chips: ChipTable) -> np.ndarray:
        """Return this rank's rows of the table, as many in every epoch."""
        order = np.arange(len(chips))
        if self.shuffle:
            key = hash_counters(self.seed, self.epoch, _ORDER)[0]
            order = np.random.Generator(np.random.PCG64(int(key))).permutation(order)
        total = self.num_samples * self.world_size
        if len(order) > total:
            lost = boxes_only_in(chips, order[total:], order[:total])
            print_log(
                f'epoch {self.epoch + 1}: {len(order) - total:,} chips beyond the '
                f'length of epoch 1 are left out, and with them the only chip of '
                f'{lost:,} boxes',
                'current',
            )
        filled = np.resize(order, total)
        return filled[self.rank :: self.world_size]
