"""Region proposals on chips: three kinds of boxes give three kinds of targets."""

import pytest
import torch
from mmengine.registry import MODELS, TASK_UTILS
from mmengine.structures import InstanceData

from mmdetxfer.models.chip_rpn import is_proposed, split_ignored

ASSIGNER = dict(
    type='mmdetxfer.ChipAssigner',
    pos_iou_thr=0.5,
    neg_iou_thr=0.4,
    min_pos_iou=0.001,
    ignore_iof_thr=0.9,
)
# Anchors of 10 x 10 from x = 0, 2, 4, 6 on, and one far away.
ANCHORS = torch.tensor([[x, 0, x + 10, 10] for x in (0, 2, 4, 6, 100)]).float()
POSITIVE, BACKGROUND, LEFT_OUT = 1, 0, -1


def instances(*boxes, **columns):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.zeros(len(boxes), dtype=torch.long)
    return InstanceData(bboxes=boxes, labels=labels, **columns)


def ignored(*boxes, not_valid):
    flags = torch.tensor(not_valid, dtype=torch.bool)
    return instances(*boxes, not_valid=flags)


def assigned(truth, others=None, **changes) -> list[int]:
    assigner = TASK_UTILS.build({**ASSIGNER, **changes})
    result = assigner.assign(InstanceData(priors=ANCHORS), truth, others)
    return result.gt_inds.tolist()


def test_valid_boxes_alone_are_assigned_as_mmdet_does():
    """IoU of anchors with the box at 0: 1, 80/120 = 0.67, 60/140 = 0.43, 0.25, 0."""
    found = assigned(instances([0, 0, 10, 10]))
    assert found == [POSITIVE, POSITIVE, LEFT_OUT, BACKGROUND, BACKGROUND]
    none = ignored(not_valid=[])
    assert assigned(instances([0, 0, 10, 10]), none) == found


def test_anchors_on_a_box_that_is_not_valid_are_left_out_even_positive_ones():
    """The box at 4 is not valid: anchors 0 to 3 overlap it by 0.43, 0.67, 1 and 0.67,
    all above 0.3; the far one stays background."""
    others = ignored([4, 0, 14, 10], not_valid=[True])
    found = assigned(instances([0, 0, 10, 10]), others)
    assert found == [LEFT_OUT] * 4 + [BACKGROUND]
    # Overlaps above 0.5 only: anchors 1, 2, 3.
    found = assigned(instances([0, 0, 10, 10]), others, not_valid_iou_thr=0.5)
    assert found == [POSITIVE, LEFT_OUT, LEFT_OUT, LEFT_OUT, BACKGROUND]


def test_a_box_that_is_ignored_acts_by_the_share_of_the_anchor_inside_it():
    """The same box as an ignored one: only anchor 2 lies inside by more than 0.9 (all
    of it). Mixing the two kinds up changes the targets."""
    others = ignored([4, 0, 14, 10], not_valid=[False])
    found = assigned(instances([0, 0, 10, 10]), others)
    assert found == [POSITIVE, POSITIVE, LEFT_OUT, BACKGROUND, BACKGROUND]
    wide = ignored([0, 0, 200, 10], not_valid=[False])
    assert assigned(instances([0, 0, 10, 10]), wide) == [LEFT_OUT] * 5
    as_not_valid = ignored([0, 0, 200, 10], not_valid=[True])
    found = assigned(instances([0, 0, 10, 10]), as_not_valid)
    assert found == [POSITIVE, POSITIVE, LEFT_OUT, BACKGROUND, BACKGROUND]


def test_without_a_valid_box_all_is_background_but_for_the_others():
    others = ignored([4, 0, 14, 10], not_valid=[True])
    assert assigned(instances(), others) == [LEFT_OUT] * 4 + [BACKGROUND]
    others = ignored([4, 0, 14, 10], not_valid=[False])
    found = assigned(instances(), others)
    assert found == [BACKGROUND, BACKGROUND, LEFT_OUT, BACKGROUND, BACKGROUND]
    assert assigned(instances(), others, ignore_iof_thr=-1) == [BACKGROUND] * 5
    assert assigned(instances()) == [BACKGROUND] * 5


def test_what_other_packers_ignore_is_ignored_here():
    plain = instances([4, 0, 14, 10])
    nowhere, not_valid = split_ignored(plain)
    assert nowhere is plain and not_valid is None
    assert split_ignored(None) == (None, None)


def test_which_sizes_are_proposed():
    """Range 10 to 20, both included; 2 x 50 has size 10; both sides under 3 is out."""
    boxes = torch.tensor(
        [
            [0, 0, 10, 10],
            [0, 0, 9.9, 10],
            [0, 0, 20, 20],
            [0, 0, 20.1, 20],
            [0, 0, 2, 50],
            [0, 0, 2.9, 2.9],
        ]
    )
    found = is_proposed(boxes, (10.0, 20.0)).tolist()
    assert found == [True, False, True, False, True, False]
    assert is_proposed(boxes, (0.0, 99.0)).tolist() == [True] * 5 + [False]


@pytest.fixture(scope='module')
def head():
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='mmdetxfer.ChipRPNHead',
            in_channels=4,
            feat_channels=4,
            anchor_generator=dict(
                type='AnchorGenerator', scales=[1, 2, 4], ratios=[1.0], strides=[8]
            ),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
            init_cfg=dict(type='Normal', layer='Conv2d', std=0.3),
        )
    )
    head.init_weights()
    return head


CFG = dict(
    nms_pre=-1, max_per_img=40, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0
)


def proposals(head, **meta):
    from mmengine.config import ConfigDict

    torch.manual_seed(1)
    maps = (torch.randn(1, 4, 8, 8),)
    scores, deltas = head(maps)
    meta = dict(img_shape=(64, 64), **meta)
    (found,) = head.predict_by_feat(
        scores, deltas, batch_img_metas=[meta], cfg=ConfigDict(CFG)
    )
    sides = found.bboxes[:, 2:] - found.bboxes[:, :2]
    return found.bboxes, (sides[:, 0] * sides[:, 1]).sqrt()


def test_proposals_of_a_chip_are_filtered_before_they_suppress_each_other(head):
    """So that forty of the right sizes are left, not what is left of forty."""
    boxes, sizes = proposals(head)
    chip = dict(valid_range_px=(10.0, 20.0), chip_extent=(64, 64))
    filtered, kept = proposals(head, **chip)
    num_in_range = int(((sizes >= 10) & (sizes <= 20)).sum())
    assert 0 < num_in_range < len(sizes)
    assert kept.min() >= 9.99 and kept.max() <= 20.01
    assert len(kept) > num_in_range


def test_proposals_end_with_the_scaled_image(head):
    chip = dict(valid_range_px=(0.0, 64.0), chip_extent=(40, 30))
    boxes, _ = proposals(head, **chip)
    assert boxes[:, 2].max() == 30 and boxes[:, 3].max() == 40


def test_the_last_map_is_used_alone_unless_told_otherwise(head):
    maps = (torch.randn(1, 3, 8, 8), torch.randn(1, 4, 8, 8))
    scores, deltas = head(maps)
    assert len(scores) == len(deltas) == 1
    head.on_last_map = False
    try:
        assert len(head((maps[1], maps[1]))[0]) == 2
    finally:
        head.on_last_map = True
