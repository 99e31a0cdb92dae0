"""A data set that is there as a whole, or named as a partial download.

Trials of rates and weight decays learn from a part of the training images and are
scored on the rest: the very images that linear probes hold out.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mmdetxfer.datasets.guarded_dataset import GuardedDataset
from mmdetxfer.errors import UserError
from mmdetxfer.probes import held_out_rows
from mmdetxfer.registry import DATASETS

PARTS = ('all', 'learn', 'held_out')


@DATASETS.register_module()
class WholeDataset(GuardedDataset):
    """Counts images and looks for their files when it is built.

    In a config: ``dataset=dict(type='mmdetxfer.WholeDataset', num_expected=19850,
    dataset=dict(type='SUN397', ...))``. Everything else is the wrapped data set's own;
    an image that cannot be read is named, as by ``GuardedDataset``.

    Args:
        dataset: Any of mmpretrain's, or its config.
        num_expected: Its images; None takes as many as it names.
        part: 'all'; 'held_out', a fifth of each class; or 'learn', the others.
    """

    def __init__(
        self, dataset: Any, num_expected: int | None = None, part: str = 'all'
    ) -> None:
        """Count, and take the part."""
        if part not in PARTS:
            raise UserError(
                f'WholeDataset: expected part {", ".join(PARTS)}, got {part!r}'
            )
        super().__init__(dataset)
        name = type(self._inner).__name__
        if num_expected is not None and len(self) != num_expected:
            raise UserError(
                f'{name}: expected {num_expected} images, its lists name {len(self)}; '
                'download it again, or set num_expected=None for another set'
            )
        paths = [self.get_data_info(k)['img_path'] for k in range(len(self))]
        missing = [path for path in paths if not Path(path).is_file()]
        if missing:
            raise UserError(
                f'{name}: expected {len(paths)} images, {len(paths) - len(missing)} '
                f'are there, without {missing[0]}; download it again'
            )
        if part != 'all':
            labels = np.array(
                [self.get_data_info(k)['gt_label'] for k in range(len(self))]
            )
            try:
                rows = held_out_rows(labels)
            except ValueError as error:
                raise UserError(f'{name}: {error}') from error
            if part == 'learn':
                rows = np.setdiff1d(np.arange(len(labels)), rows)
            self._inner.get_subset_(rows.tolist())
