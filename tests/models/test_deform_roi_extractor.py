"""Deformable RoI pooling: refused on a CPU, on a GPU RoIAlign at first."""

import pytest
import torch
from mmcv.ops import RoIAlign

from mmdetxfer.errors import UserError
from mmdetxfer.models import DeformRoIExtractor

ROIS = torch.tensor([[0, 8.0, 16, 90, 70], [1, 30, 5, 60, 120]])
needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason='the operation runs on GPUs alone'
)


def extractor():
    return DeformRoIExtractor(out_channels=4, featmap_strides=[16])


def test_without_a_gpu_it_says_what_to_use_instead():
    with pytest.raises(UserError, match='runs on a GPU only; .* with RoIAlign'):
        extractor()((torch.randn(2, 4, 8, 8),), ROIS)


def test_several_maps_are_refused():
    with pytest.raises(ValueError, match=r'expected one map, got \[8, 16\]'):
        DeformRoIExtractor(out_channels=4, featmap_strides=[8, 16])


def test_one_layer_predicts_two_offsets_for_each_of_49_bins_from_zero():
    layer = extractor().roi_layers[0].offset_fc
    assert layer.out_features == 98 and layer.in_features == 4 * 49
    assert not layer.weight.any() and not layer.bias.any()


def test_its_settings_reach_the_layer():
    settings = dict(output_size=3, sampling_ratio=2, gamma=0.2)
    layer = DeformRoIExtractor(out_channels=4, featmap_strides=[8], **settings)
    (layer,) = layer.roi_layers
    assert layer.offset_fc.out_features == 18 and layer.output_size == (3, 3)
    assert (layer.sampling_ratio, layer.gamma) == (2, 0.2)
    assert layer.spatial_scale == 1 / 8


@needs_gpu
def test_without_offsets_it_is_aligned_pooling():
    maps = torch.randn(2, 4, 8, 8, device='cuda')
    found = extractor().cuda()((maps,), ROIS.cuda())
    expected = RoIAlign(7, 1 / 16, sampling_ratio=4)(maps, ROIS.cuda())
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@needs_gpu
def test_offsets_move_bins_and_learn_in_half_precision():
    layer = extractor().cuda()
    maps = torch.randn(2, 4, 8, 8, device='cuda', requires_grad=True)
    before = layer((maps,), ROIS.cuda())
    with torch.autocast('cuda', torch.float16):
        layer((maps.half(),), ROIS.cuda()).square().sum().backward()
    offsets = layer.roi_layers[0].offset_fc
    assert offsets.weight.grad.abs().sum() > 0
    torch.nn.init.constant_(offsets.bias, 1.0)
    assert not torch.allclose(layer((maps,), ROIS.cuda()), before)
