"""Objectness times classes: scores and losses by hand, and in mmdet's box head."""

from math import log

import pytest
import torch
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmengine.structures import InstanceData

from mmdetxfer.models import DecoupledLoss

# Three classes, then background and object. Softmax of (log 3, 0, -inf) is 3/4, 1/4, 0;
# of (0, log 4) 1/5, 4/5.
NEVER = -1e9
OUTPUTS = torch.tensor(
    [
        [log(3), 0, NEVER, 0, log(4)],
        [log(3), 0, NEVER, log(199), 0],
    ]
)


def test_scores_are_products():
    """4/5 of 3/4 and 1/4; the second's objectness of 1/200 is below 0.01: no class."""
    scores = DecoupledLoss().get_activation(OUTPUTS)
    expected = [[0.6, 0.2, 0, 0.2], [0, 0, 0, 199 / 200]]
    torch.testing.assert_close(scores, torch.tensor(expected))
    kept = DecoupledLoss(min_objectness=0.001).get_activation(OUTPUTS)[1]
    torch.testing.assert_close(kept[:2], torch.tensor([3 / 800, 1 / 800]))


def test_losses_are_means_over_what_they_are_for():
    """Row 0 is class 1, row 1 background (3): log 5/4 and log 200/199, then log 4."""
    labels = torch.tensor([1, 3])
    losses = DecoupledLoss()(OUTPUTS, labels)
    objectness = (log(5 / 4) + log(200 / 199)) / 2
    assert losses['loss_objectness'].item() == pytest.approx(objectness, rel=1e-5)
    assert losses['loss_classes'].item() == pytest.approx(log(4), rel=1e-5)
    weights = torch.tensor([1.0, 0.0])
    one = DecoupledLoss(loss_weight=2.0, class_weight=3.0)(
        OUTPUTS, labels, weights, avg_factor=4
    )
    assert one['loss_objectness'].item() == pytest.approx(2 * log(5 / 4) / 4, rel=1e-5)
    assert one['loss_classes'].item() == pytest.approx(6 * log(4), rel=1e-5)


def test_background_alone_has_no_loss_of_classes():
    losses = DecoupledLoss()(OUTPUTS, torch.tensor([3, 3]))
    assert losses['loss_classes'].item() == 0


def test_right_answers_are_counted_apart():
    """Both rows are objects, one is found as such; both say class 0, true of one."""
    found = DecoupledLoss().get_accuracy(OUTPUTS, torch.tensor([0, 1]))
    assert found['acc_objectness'].item() == 50 and found['acc_classes'].item() == 50


def test_a_reduction_of_ones_own_is_refused():
    with pytest.raises(ValueError, match="no reduction_override, got 'none'"):
        DecoupledLoss()(OUTPUTS, torch.tensor([0, 1]), reduction_override='none')


def test_mmdets_box_head_trains_and_tests_with_it():
    torch.manual_seed(0)
    head = Shared2FCBBoxHead(
        in_channels=2,
        fc_out_channels=4,
        roi_feat_size=1,
        num_classes=3,
        reg_class_agnostic=True,
        loss_cls=dict(type='mmdetxfer.DecoupledLoss', min_objectness=0.0),
    )
    assert head.fc_cls.out_features == 5
    outputs, deltas = head(torch.randn(6, 2, 1, 1))
    labels = torch.tensor([0, 1, 2, 3, 3, 3])
    rois = torch.tensor([[0, 0, 0, 9.0, 9.0]]).repeat(6, 1)
    losses = head.loss(
        outputs,
        deltas,
        rois,
        labels,
        torch.ones(6),
        torch.zeros(6, 4),
        torch.zeros(6, 4),
    )
    assert {'loss_objectness', 'loss_classes', 'acc_objectness', 'acc_classes'} <= set(
        losses
    )
    meta = dict(img_shape=(20, 20), scale_factor=(1.0, 1.0))
    found = head._predict_by_feat_single(rois, outputs, deltas, meta)
    assert isinstance(found, InstanceData) and found.scores.shape == (6, 4)
    expected = DecoupledLoss(min_objectness=0.0).get_activation(outputs)
    torch.testing.assert_close(found.scores, expected)
