"""Boxes of several scales are put together, each scale's in its own range."""

import math

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import nn

from mmdetxfer.errors import UserError
from mmdetxfer.models import ValidRangeTTA


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.roi_head = nn.Module()
        nms = ConfigDict(type='nms', iou_threshold=0.5)
        self.roi_head.test_cfg = ConfigDict(nms=nms, max_per_img=100)

    def test_step(self, data):
        raise AssertionError


def view(*found, **meta):
    """Return a view's result: (box, score, label) each."""
    one = DetDataSample()
    boxes = torch.tensor([box for box, _, _ in found], dtype=torch.float32)
    one.pred_instances = InstanceData(
        bboxes=boxes.reshape(-1, 4),
        scores=torch.tensor([score for _, score, _ in found]),
        labels=torch.tensor([label for _, _, label in found], dtype=torch.long),
    )
    one.set_metainfo(dict(ori_shape=(100, 200), **meta))
    return one


def plan(ranges) -> dict:
    scales = [(-1, 100)] * len(ranges)
    return dict(scales=scales, valid_ranges=ranges, test_ranges=ranges)


def merged(views, ranges, **settings):
    model = ValidRangeTTA(Detector(), plan=plan(ranges), **settings)
    (found,) = model.merge_preds([views])
    found = found.pred_instances
    return [
        (box, pytest.approx(score, abs=1e-4), label)
        for box, score, label in zip(
            found.bboxes.tolist(),
            found.scores.tolist(),
            found.labels.tolist(),
            strict=True,
        )
    ]


def square(x, side):
    return [x, 0, x + side, side]


def test_each_scale_keeps_the_sizes_of_its_own_range():
    """Fine up to 20, coarse above 10; the lower end is out and the upper end is in."""
    fine = view((square(0, 20), 0.9, 0), (square(50, 21), 0.8, 0))
    coarse = view((square(100, 10), 0.7, 0), (square(130, 11), 0.6, 0))
    found = merged([fine, coarse], [(-1, 20), (10, -1)])
    assert [box for box, _, _ in found] == [square(0, 20), square(130, 11)]


def test_the_same_object_at_two_scales_is_softened_not_dropped():
    """Overlap 100/144 = 0.6944: the lower score falls by exp(-0.6944^2 / 0.55) =
    0.4161. Another class is left alone."""
    fine = view((square(0, 12), 0.9, 0))
    coarse = view(([0, 0, 10, 10], 0.8, 0), ([0, 0, 10, 10], 0.5, 1))
    found = merged([fine, coarse], [(-1, -1), (-1, -1)])
    lowered = 0.8 * math.exp(-((100 / 144) ** 2) / 0.55)
    assert found == [
        (square(0, 12), 0.9, 0),
        ([0, 0, 10, 10], 0.5, 1),
        ([0, 0, 10, 10], lowered, 0),
    ]


def test_another_suppression_can_be_named():
    """Overlap 0.69 is over a hard threshold of 0.5 and under one of 0.8."""
    for threshold, count in ((0.5, 1), (0.8, 2)):
        both = view((square(0, 12), 0.9, 0), ([0, 0, 10, 10], 0.8, 0))
        hard = dict(type='nms', iou_threshold=threshold)
        assert len(merged([both], [(-1, -1)], nms=hard)) == count


def test_what_falls_under_the_floor_of_the_scores_is_dropped_and_few_are_kept():
    fine = view((square(0, 12), 0.9, 0), (square(0, 12), 0.002, 0))
    # exp(-1 / 0.55) = 0.162 times 0.002 is under 0.001.
    assert len(merged([fine], [(-1, -1)])) == 1
    many = view(*((square(20 * n, 12), 0.9 - 0.1 * n, 0) for n in range(5)))
    assert len(merged([many], [(-1, -1)], max_per_img=3)) == 3


def test_mirrored_views_are_turned_back():
    """In an image 200 wide, x 10..22 mirrored is 178..190."""
    plain, mirrored = view(), view(([178, 0, 190, 12], 0.9, 0))
    mirrored.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    assert merged([plain, mirrored], [(-1, -1)]) == [([10, 0, 22, 12], 0.9, 0)]


def test_views_without_a_box_give_an_empty_result():
    assert merged([view(), view()], [(-1, 20), (10, -1)]) == []


def test_views_and_ranges_must_agree():
    """Four scales for two ranges are not two scales and their mirror images."""
    for count in (3, 4):
        with pytest.raises(
            UserError, match=f'each of 2 test_ranges .* got {count}, of'
        ):
            merged([view()] * count, [(-1, 20), (10, -1)])


def test_the_detector_itself_suppresses_nothing():
    model = ValidRangeTTA(Detector(), plan=plan([(-1, -1)]))
    assert model.module.roi_head.test_cfg == dict(nms=None, max_per_img=1_000_000)
