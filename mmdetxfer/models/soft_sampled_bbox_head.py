"""Background that counts less, the farther it is from every box (Soft Sampling).

In data where objects are left unlabelled, a proposal far from every box may be one of
them. Its weight is a + (1 - a) exp(-b exp(-c o)) of its largest overlap o with a box
(Wu et al. 2018, a Gompertz function; a = 0.25, b = 50, c = 20 as in SNIPER's branch for
OpenImages).
"""

from typing import Any

import torch
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from torch import Tensor

from mmdetxfer.registry import MODELS


def soft_weights(overlaps: Tensor) -> Tensor:
    """Return the weight of background proposals with such overlaps."""
    return 0.25 + 0.75 * torch.exp(-50.0 * torch.exp(-20.0 * overlaps.clamp(min=0)))


@MODELS.register_module()
class SoftSampledBBoxHead(Shared2FCBBoxHead):
    """``Shared2FCBBoxHead`` with soft weights for background proposals.

    In a config, within a ``ChipRoIHead``: ``bbox_head=dict(type=
    'mmdetxfer.SoftSampledBBoxHead', ...)``, with the arguments of its parent.
    """

    def get_targets(
        self, sampling_results: list, rcnn_train_cfg: Any, concat: bool = True
    ) -> tuple:
        """Return mmdet's targets, with the weights of negatives made soft."""
        labels, weights, boxes, box_weights = super().get_targets(
            sampling_results, rcnn_train_cfg, concat=False
        )
        for weight, sampled in zip(weights, sampling_results, strict=True):
            num_positives = len(sampled.pos_inds)
            weight[num_positives:] *= soft_weights(sampled.neg_overlaps.to(weight))
        parts = (labels, weights, boxes, box_weights)
        return tuple(torch.cat(part) for part in parts) if concat else parts
