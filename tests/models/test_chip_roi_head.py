"""The second stage on chips labels every proposal from all visible boxes."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import PolygonMasks
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import InstanceData

from mmdetxfer.models.chip_roi_head import with_truths
from mmdetxfer.models.soft_sampled_bbox_head import soft_weights

CLASSES = 3
PROPOSALS = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [0, 40, 10, 50]]


def build(head='Shared2FCBBoxHead', iof=0.9):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='mmdetxfer.ChipRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=2, sampling_ratio=1),
                out_channels=4,
                featmap_strides=[8],
            ),
            bbox_head=dict(
                type=head,
                in_channels=4,
                fc_out_channels=8,
                roi_feat_size=2,
                num_classes=CLASSES,
                reg_class_agnostic=True,
            ),
            train_cfg=ConfigDict(
                assigner=dict(
                    type='mmdetxfer.ChipAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.5,
                    match_low_quality=False,
                    ignore_iof_thr=iof,
                ),
                sampler=dict(type='PseudoSampler'),
                pos_weight=-1,
            ),
            test_cfg=None,
        )
    )


def sample(truth, others, not_valid, valid_range_px=None):
    found = DetDataSample()
    for name, boxes in (('gt_instances', truth), ('ignored_instances', others)):
        corners = torch.tensor([box for box, _ in boxes], dtype=torch.float32)
        labels = torch.tensor([label for _, label in boxes], dtype=torch.long)
        part = InstanceData(bboxes=corners.reshape(-1, 4), labels=labels)
        setattr(found, name, part)
    found.ignored_instances.not_valid = torch.tensor(not_valid, dtype=torch.bool)
    meta = dict(img_shape=(64, 64))
    if valid_range_px:
        meta['valid_range_px'] = valid_range_px
    found.set_metainfo(meta)
    return found


@pytest.fixture
def targets(monkeypatch):
    """Train a head once; return each proposal's label and weight, in their order."""

    def run(one, head=None, proposals=PROPOSALS):
        head = head or build()
        seen = {}
        inner = head.bbox_head.get_targets

        def get_targets(sampling_results, *args, **kwargs):
            labels, weights, *rest = inner(sampling_results, *args, **kwargs)
            (result,) = sampling_results
            for place, label, weight in zip(
                torch.cat([result.pos_priors, result.neg_priors]).tolist(),
                labels.tolist(),
                weights.tolist(),
                strict=True,
            ):
                seen[tuple(place)] = (label, weight)
            return labels, weights, *rest

        monkeypatch.setattr(head.bbox_head, 'get_targets', get_targets)
        boxes = torch.tensor(proposals, dtype=torch.float32)
        losses = head.loss(
            (torch.randn(1, 4, 8, 8),), [InstanceData(bboxes=boxes)], [one]
        )
        assert {'loss_cls', 'loss_bbox'} <= losses.keys()
        return seen

    return run


def test_boxes_that_are_not_valid_label_proposals_too_and_ignored_ones_do_not(targets):
    """Proposal 0 lies on a valid box (class 1), 1 on one that is not valid (class 2),
    2 on an ignored one, 3 on nothing: background is class 3."""
    one = sample(
        truth=[([0, 0, 10, 10], 1)],
        others=[([20, 0, 30, 10], 2), ([40, 0, 50, 10], 0)],
        not_valid=[True, False],
    )
    found = targets(one)
    assert found == {
        (0, 0, 10, 10): (1, 1.0),
        (20, 0, 30, 10): (2, 1.0),
        (0, 40, 10, 50): (CLASSES, 1.0),
    }


def test_every_proposal_is_trained_not_a_sample(targets):
    proposals = [[x, y, x + 6, y + 6] for x in range(0, 56, 4) for y in range(0, 56, 4)]
    assert len(targets(sample([], [], []), proposals=proposals)) == len(proposals)


def test_true_boxes_stand_behind_proposals_or_in_their_last_places():
    priors = torch.arange(16.0).reshape(4, 4)
    own = torch.tensor([[0.0, 0, 10, 10], [0, 0, 20, 20]])
    first = priors.tolist()
    assert with_truths(priors, own, 9).tolist() == first + own.tolist()
    assert with_truths(priors, own, 5).tolist() == first[:3] + own.tolist()
    assert with_truths(priors, own, 1).tolist() == own[:1].tolist()
    assert with_truths(priors[:0], own, 9).tolist() == own.tolist()


def test_a_head_has_as_many_places_as_it_is_told(targets):
    head = build()
    head.num_places = 3
    one = sample([([30, 30, 40, 40], 1)], [], [], valid_range_px=(0.0, 64.0))
    found = targets(one, head)
    assert len(found) == 3 and (30, 30, 40, 40) in found


def test_boxes_of_other_sizes_are_not_proposed(targets):
    """A range of 5 to 12 px: a visible box of 20 px stays out."""
    boxes = [([30, 30, 40, 40], 1), ([10, 30, 30, 50], 2)]
    found = targets(sample(boxes, [], [], valid_range_px=(5.0, 12.0)))
    assert (30, 30, 40, 40) in found and (10, 30, 30, 50) not in found


def test_a_proposal_on_an_ignored_box_is_left_out_where_nothing_else_is_visible(
    targets,
):
    one = sample([], [([40, 0, 50, 10], 0)], [False])
    assert (40, 0, 50, 10) not in targets(one)
    assert len(targets(one)) == 3


def test_masks_of_all_visible_boxes_are_learned(monkeypatch):
    """Proposals lie on a valid box and on one that is not valid: masks 0 and 1."""
    head = build()
    head.init_mask_head(
        None,
        dict(type='FCNMaskHead', num_convs=1, in_channels=4, conv_out_channels=4,
             num_classes=CLASSES),
    )  # fmt: skip
    head.train_cfg.mask_size = 4
    one = sample([([0, 0, 10, 10], 1)], [([20, 0, 30, 10], 2)], [True])
    for part, box in (
        (one.gt_instances, [0, 0, 10, 0, 10, 10, 0, 10]),
        (one.ignored_instances, [20, 0, 30, 0, 30, 10, 20, 10]),
    ):
        side = 64 if part is one.gt_instances else 60
        part.masks = PolygonMasks([[np.array(box, float)]], side, side)
    proposals = [InstanceData(bboxes=torch.tensor(PROPOSALS, dtype=torch.float32))]
    seen = {}
    inner = head.mask_head.get_targets

    def get_targets(*arguments, **options):
        seen['targets'] = inner(*arguments, **options)
        return seen['targets']

    monkeypatch.setattr(head.mask_head, 'get_targets', get_targets)
    losses = head.loss((torch.randn(1, 4, 8, 8),), proposals, [one])
    # Each mask fills its proposal.
    assert seen['targets'].shape[0] == 2 and (seen['targets'] == 1).all()
    assert torch.isfinite(losses['loss_mask']).all()


def test_truths_are_proposed_on_chips_alone(targets):
    box = [30, 30, 40, 40]
    on_chip = sample([(box, 1)], [], [], valid_range_px=(0.0, 64.0))
    assert tuple(box) in targets(on_chip)
    assert tuple(box) not in targets(sample([(box, 1)], [], []))


def test_the_soft_weights_of_background():
    """0.25 + 0.75 exp(-50 exp(-20 o)): at 0 exp(-50) is nothing; at 0.2, exp(-4) is
    0.0183, times 50 is 0.916, exp(-0.916) = 0.400: 0.55; at 0.49 nearly 1."""
    found = soft_weights(torch.tensor([0.0, 0.2, 0.49, -1.0]))
    assert found.tolist() == pytest.approx([0.25, 0.55, 0.998, 0.25], abs=1e-3)


def test_background_far_from_boxes_weighs_less_and_objects_as_much_as_ever(targets):
    """The proposal at 4 overlaps the box at 0 by 60 / 140 = 0.4286: weight 0.9929."""
    one = sample([([0, 0, 10, 10], 1)], [], [])
    proposals = [[0, 0, 10, 10], [4, 0, 14, 10], [40, 40, 50, 50]]
    head = build('mmdetxfer.SoftSampledBBoxHead')
    found = targets(one, head, proposals)
    assert found[(0, 0, 10, 10)] == (1, 1.0)
    label, weight = found[(4, 0, 14, 10)]
    assert label == CLASSES and weight == pytest.approx(0.9930, abs=1e-3)
    assert found[(40, 40, 50, 50)] == (CLASSES, pytest.approx(0.25))


def test_an_image_without_boxes_and_proposals_gives_finite_losses():
    head = build()
    nothing = [InstanceData(bboxes=torch.zeros(0, 4))]
    losses = head.loss((torch.randn(1, 4, 8, 8),), nothing, [sample([], [], [])])
    assert all(torch.isfinite(v).all() for v in losses.values())
