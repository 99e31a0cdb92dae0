"""A share of the images of a segmentation or classification set.

The answer to 'which pre-training?' depends on how much data there is. Detection sets
have ``SubsetDataset``, which knows boxes.
"""

from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmdetxfer.datasets.guarded_dataset import GuardedDataset
from mmdetxfer.errors import UserError
from mmdetxfer.probes import share_of_rows
from mmdetxfer.registry import DATASETS


@DATASETS.register_module()
class ShareDataset(GuardedDataset):
    """A share of each class, or of all images where they have no class.

    In a config: ``dataset=dict(type='mmdetxfer.ShareDataset', fraction=0.1,
    dataset=dict(type='PascalVOCDataset', ...))``. The draw depends on the order of the
    images, their classes and the seed alone: all candidates get the same images.

    Args:
        dataset: Any data set of mmseg or mmpretrain, or its config.
        fraction: Of the images; each class keeps one at least.
        seed: Of the draw.
    """

    def __init__(self, dataset: Any, fraction: float, seed: int = 0) -> None:
        """Draw the images."""
        if not 0 < fraction <= 1:
            raise UserError(f'fraction: expected a share of 1, got {fraction}')
        super().__init__(dataset)
        total = len(self)
        labels = [self.get_data_info(k).get('gt_label', 0) for k in range(total)]
        if any(np.ndim(label) for label in labels):
            # Several classes an image: there is no share of each.
            labels = [0] * total
        rows = share_of_rows(np.array(labels), fraction, seed)
        self._inner.get_subset_(rows.tolist())
        print_log(f'{len(rows)} of {total} images, seed {seed}', 'current')
