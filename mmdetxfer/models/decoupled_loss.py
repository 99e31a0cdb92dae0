"""Objectness times a softmax over all classes (R-FCN-3000, Singh et al. 2018).

With thousands of classes there are few examples of each and much background. So one
pair of outputs tells objects from background, for all proposals, and a softmax without
a background tells classes apart, for proposals on objects. A score is their product.
"""

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional

from mmdetxfer.registry import MODELS


@MODELS.register_module()
class DecoupledLoss(BaseModule):
    """The classification loss of a box head with decoupled objectness.

    In a config, of any box head of mmdet: ``loss_cls=dict(type=
    'mmdetxfer.DecoupledLoss')``; the head then has two outputs more than classes. The
    original's two branches have convolutions of their own before pooling; here they
    share the head's layers.

    Args:
        min_objectness: Proposals below have no class at test.
        loss_weight: Of both parts.
        class_weight: Of the part that tells classes apart.
    """

    # By these mmdet's heads know that outputs and scores are not the usual ones.
    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    def __init__(
        self,
        min_objectness: float = 0.01,
        loss_weight: float = 1.0,
        class_weight: float = 1.0,
    ) -> None:
        """Take the weights."""
        super().__init__()
        self.min_objectness = min_objectness
        self.loss_weight, self.class_weight = loss_weight, class_weight

    def get_cls_channels(self, num_classes: int) -> int:
        """Return the number of outputs: all classes, then background and object."""
        return num_classes + 2

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Return (N, K + 1) scores; the last is background's."""
        classes = cls_score[:, :-2].softmax(-1)
        background, objectness = cls_score[:, -2:].softmax(-1).split(1, dim=-1)
        kept = objectness * (objectness > self.min_objectness)
        return torch.cat([classes * kept, background], dim=-1)

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the shares of right answers, in per cent, of both parts."""
        is_object = (labels >= 0) & (labels < cls_score.shape[1] - 2)
        found = cls_score[:, -2:].argmax(-1) == is_object
        right = cls_score[is_object, :-2].argmax(-1) == labels[is_object]
        return {
            'acc_objectness': 100.0 * found.float().sum() / max(len(found), 1),
            'acc_classes': 100.0 * right.float().sum() / max(len(right), 1),
        }

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> dict[str, Tensor]:
        """Return both losses, each a mean over the proposals that it is for.

        Args:
            cls_score: (N, K + 2) outputs.
            label: (N,) classes; K is background.
            weight: (N,) of proposals.
            avg_factor: How many count for objectness.
            reduction_override: Not used by box heads; must be None.
        """
        if reduction_override is not None:
            raise ValueError(
                'DecoupledLoss: expected no reduction_override, got '
                f'{reduction_override!r}'
            )
        weight = (
            torch.ones_like(label, dtype=cls_score.dtype)
            if weight is None
            else (weight.to(cls_score.dtype))
        )
        is_object = (label >= 0) & (label < cls_score.shape[1] - 2)
        targets = is_object.long()
        two = functional.cross_entropy(cls_score[:, -2:], targets, reduction='none')
        count = avg_factor or max(float((weight > 0).sum()), 1.0)
        objectness = (two * weight).sum() / count
        classes = functional.cross_entropy(
            cls_score[is_object, :-2], label[is_object], reduction='none'
        )
        own = weight[is_object]
        classes = (classes * own).sum() / max(float((own > 0).sum()), 1.0)
        return {
            'loss_objectness': self.loss_weight * objectness,
            'loss_classes': self.loss_weight * self.class_weight * classes,
        }
