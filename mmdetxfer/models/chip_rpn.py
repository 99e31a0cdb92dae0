"""Region proposals on chips: what is not valid in a chip is no target there.

SNIPER's rules (facts B7 and B8 of its code): anchors close to a box that is visible but
not valid are left out of the loss, former positives too; proposals whose size in chip
pixels is outside the scale's valid range are dropped before non-maximum suppression.
"""

from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmengine.structures import InstanceData
from torch import Tensor

from mmdetxfer.registry import MODELS, TASK_UTILS

_MIN_SIDE_PX = 3


@TASK_UTILS.register_module()
class ChipAssigner(MaxIoUAssigner):
    """``MaxIoUAssigner`` that leaves out anchors on boxes that are not valid here.

    In a config, for the RPN: ``assigner=dict(type='mmdetxfer.ChipAssigner',
    pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0.001, ignore_iof_thr=0.9)``. Boxes
    that are ignored everywhere (difficult, crowd, group-of) act by ``ignore_iof_thr``:
    the share of an anchor inside them.

    Args:
        not_valid_iou_thr: Anchors that overlap a box that is not valid by more are left
            out, also positive ones.
        **kwargs: Of ``MaxIoUAssigner``.
    """

    def __init__(self, *args: Any, not_valid_iou_thr: float = 0.3, **kwargs: Any):
        """Take the threshold."""
        super().__init__(*args, **kwargs)
        self.not_valid_iou_thr = not_valid_iou_thr

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """Assign valid boxes, then leave out what lies on the others."""
        others, not_valid = split_ignored(gt_instances_ignore)
        result = super().assign(pred_instances, gt_instances, others, **kwargs)
        if others is not None and len(gt_instances) == 0 and len(others) > 0:
            # Without a box to find, mmdet makes everything background.
            self._leave_out(result, self._share_inside(pred_instances, others))
        if not_valid is not None and len(not_valid) > 0:
            overlaps = self.iou_calculator(pred_instances.priors, not_valid.bboxes)
            self._leave_out(result, overlaps.max(1).values > self.not_valid_iou_thr)
        return result

    def _share_inside(self, pred_instances: InstanceData, ignored: InstanceData):
        if self.ignore_iof_thr <= 0:
            return torch.zeros(len(pred_instances), dtype=torch.bool)
        shares = self.iou_calculator(pred_instances.priors, ignored.bboxes, mode='iof')
        return shares.max(1).values > self.ignore_iof_thr

    @staticmethod
    def _leave_out(result: AssignResult, chosen: Tensor) -> None:
        chosen = chosen.to(result.gt_inds.device)
        result.gt_inds[chosen] = -1
        result.labels[chosen] = -1


def split_ignored(
    ignored: InstanceData | None,
) -> tuple[InstanceData | None, InstanceData | None]:
    """Return the boxes that count nowhere, and those that are merely not valid."""
    if ignored is None or 'not_valid' not in ignored:
        return ignored, None
    return ignored[~ignored.not_valid], ignored[ignored.not_valid]


@MODELS.register_module()
class ChipRPNHead(RPNHead):
    """``RPNHead`` whose proposals of a chip are of the sizes that are valid there.

    In a config: ``rpn_head=dict(type='mmdetxfer.ChipRPNHead', ...)``. Images that are
    no chips (validation) are not filtered.

    Args:
        on_last_map: Whether the last of the neck's maps is used alone, as with
            ``JoinedStages``; else all of them, as with a pyramid.
        **kwargs: Of ``RPNHead``.
    """

    def __init__(self, *args: Any, on_last_map: bool = True, **kwargs: Any) -> None:
        """Take the switch."""
        super().__init__(*args, **kwargs)
        self.on_last_map = on_last_map

    def forward(self, x: tuple[Tensor, ...]) -> tuple:
        """Return scores and boxes for the maps in use."""
        return super().forward(x[-1:] if self.on_last_map else x)

    def _bbox_post_process(
        self, results: InstanceData, cfg: Any, *args: Any, **kwargs: Any
    ) -> InstanceData:
        """Drop sizes that are not valid, then suppress and cut as ``RPNHead``."""
        meta = kwargs.get('img_meta') or {}
        if 'valid_range_px' in meta:
            extent = meta['chip_extent']
            boxes = clipped(results.bboxes, extent)
            results.bboxes = boxes
            results = results[is_proposed(boxes, meta['valid_range_px'])]
        return super()._bbox_post_process(results, cfg, *args, **kwargs)


def clipped(boxes: Tensor, extent: tuple[int, int]) -> Tensor:
    """Return (N, 4) boxes clipped to an extent (height, width)."""
    height, width = extent
    limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def is_proposed(boxes: Tensor, valid_range_px: tuple[float, float]) -> Tensor:
    """Return (N,) whether a box of a chip may be proposed.

    Its size is in the range, both ends included, and not both of its sides are under 3
    pixels (both, as in SNIPER's code).
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    sizes = (sides[:, 0] * sides[:, 1]).clamp(min=0).sqrt()
    low, high = valid_range_px
    is_tiny = (sides < _MIN_SIDE_PX).all(1)
    return (sizes >= low) & (sizes <= high) & ~is_tiny
