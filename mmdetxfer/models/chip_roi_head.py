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

    Args:
        num_places: Proposals of a chip; visible boxes in its valid range take the last
            places, or stand behind where there are free ones.
        **kwargs: Of ``StandardRoIHead``.
    """

    def __init__(self, *args: Any, num_places: int = 300, **kwargs: Any) -> None:
        """Take the number of places."""
        super().__init__(*args, **kwargs)
        self.num_places = num_places

    def loss(
        self,
        x: tuple[Tensor, ...],
        rpn_results_list: list[InstanceData],
        batch_data_samples: list[DetDataSample],
    ) -> dict:
        """Label all proposals and compute the losses."""
        truths, ignored, metas = unpack_gt_instances(batch_data_samples)
        sampling_results, all_visible = [], []
        for proposals, truth, other, meta in zip(
            rpn_results_list, truths, ignored, metas, strict=True
        ):
            nowhere, not_valid = split_ignored(other)
            visible = truth if not_valid is None else joined(truth, not_valid)
            priors = proposals.bboxes
            if 'valid_range_px' in meta:
                own = visible.bboxes[
                    is_proposed(visible.bboxes, meta['valid_range_px'])
                ]
                priors = with_truths(priors, own, self.num_places)
            priors = InstanceData(priors=priors)
            assigned = self.bbox_assigner.assign(priors, visible, nowhere)
            sampled = self.bbox_sampler.sample(assigned, priors, visible)
            # For soft sampling; mmdet's result does not keep it.
            sampled.neg_overlaps = assigned.max_overlaps[sampled.neg_inds]
            sampling_results.append(sampled)
            all_visible.append(visible)
        results = self.bbox_loss(x, sampling_results)
        losses = dict(results['loss_bbox'])
        if self.with_mask:
            features = results['bbox_feats']
            masks = self.mask_loss(x, sampling_results, features, all_visible)
            losses.update(masks['loss_mask'])
        return losses


def joined(truth: InstanceData, not_valid: InstanceData) -> InstanceData:
    """Return all visible boxes with their classes, and masks if there are some."""
    others = InstanceData(bboxes=not_valid.bboxes, labels=not_valid.labels)
    parts = {key: truth[key] for key in ('bboxes', 'labels', 'masks') if key in truth}
    if 'masks' in truth:
        # The preprocessor fills up those of valid boxes alone.
        size = (truth.masks.height, truth.masks.width)
        others.masks = not_valid.masks.pad(size)
    return InstanceData.cat([InstanceData(**parts), others])


def with_truths(priors: Tensor, own: Tensor, num_places: int) -> Tensor:
    """Return proposals, with true boxes behind them or in their last places."""
    own = own[:num_places].to(priors)
    return torch.cat([priors[: num_places - len(own)], own])
