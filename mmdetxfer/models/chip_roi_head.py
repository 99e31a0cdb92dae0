"""The second stage on chips: all proposals are trained, all visible boxes label them.

A proposal that survived the first stage's filter gets the class of any visible box that
it overlaps, valid or not: unlike the first stage, the second one leaves nothing out for
lying on a box of another size (facts B8).
"""

from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetxfer.models.chip_rpn import is_proposed, split_ignored
from mmdetxfer.registry import MODELS


@MODELS.register_module()
class ChipRoIHead(StandardRoIHead):
    """``StandardRoIHead`` for chips.

    In a config: ``roi_head=dict(type='mmdetxfer.ChipRoIHead', ...)`` with the arguments
    of ``StandardRoIHead``, and in ``train_cfg.rcnn`` ``sampler=dict(type=
    'PseudoSampler')``: no sampling. SNIPER fills empty places up to 300 with dummy
    boxes and trains them; here there are none.
    """

    def loss(
        self,
        x: tuple[Tensor, ...],
        rpn_results_list: list[InstanceData],
        batch_data_samples: list[DetDataSample],
    ) -> dict:
        """Label all proposals and compute the losses."""
        truths, ignored, metas = unpack_gt_instances(batch_data_samples)
        sampling_results = []
        for proposals, truth, other, meta in zip(
            rpn_results_list, truths, ignored, metas, strict=True
        ):
            nowhere, not_valid = split_ignored(other)
            visible = truth if not_valid is None else joined(truth, not_valid)
            priors = proposals.bboxes
            if 'valid_range_px' in meta:
                priors = with_truths(priors, visible.bboxes, meta['valid_range_px'])
            priors = InstanceData(priors=priors)
            assigned = self.bbox_assigner.assign(priors, visible, nowhere)
            sampled = self.bbox_sampler.sample(assigned, priors, visible)
            # For soft sampling; mmdet's result does not keep it.
            sampled.neg_overlaps = assigned.max_overlaps[sampled.neg_inds]
            sampling_results.append(sampled)
        results = self.bbox_loss(x, sampling_results)
        losses = dict(results['loss_bbox'])
        if self.with_mask:
            masks = self.mask_loss(x, sampling_results, results['bbox_feats'], truths)
            losses.update(masks['loss_mask'])
        return losses


def joined(truth: InstanceData, not_valid: InstanceData) -> InstanceData:
    """Return all visible boxes with their classes."""
    boxes = torch.cat([truth.bboxes, not_valid.bboxes])
    return InstanceData(
        bboxes=boxes, labels=torch.cat([truth.labels, not_valid.labels])
    )


def with_truths(priors: Tensor, boxes: Tensor, valid_range_px: Any) -> Tensor:
    """Return proposals whose last places are taken by the visible boxes in range."""
    own = boxes[is_proposed(boxes, valid_range_px)].to(priors)
    kept = max(len(priors) - len(own), 0)
    return torch.cat([priors[:kept], own])
