"""RoIAlign's gradient as matrix products, against mmcv's kernel and by hand."""

import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.registry import MODELS as HOST_MODELS
from torch.utils.flop_counter import FlopCounterMode

from mmdetxfer.models.matrix_roi_extractor import (
    MatrixRoIAlign,
    MatrixRoIExtractor,
    bin_weights,
)


def regions(size_px, number, seed=0):
    """Return regions of three maps in no order, over the border, empty, and tiny."""
    random = torch.Generator().manual_seed(seed)
    corners = torch.rand(number, 2, generator=random) * size_px * 1.4 - 0.2 * size_px
    sides = torch.rand(number, 2, generator=random) * size_px
    sides[0] = 0
    sides[1] = 0.5
    of = torch.randint(0, 3, (number, 1), generator=random)
    return torch.cat([of, corners, corners + sides], 1)


def pooled(layer, maps, rois):
    maps = maps.clone().requires_grad_()
    out = layer(maps, rois)
    (out * torch.arange(out.numel()).view(out.shape).cos()).sum().backward()
    return out, maps.grad


@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('size', [(8, 8), (5, 11)])
def test_what_is_pooled_and_its_gradient_are_mmcvs(ratio, aligned, size):
    """The first bit for bit, the second but for rounding; map 2 of 4 has no region."""
    maps = torch.randn(4, 6, *size, generator=torch.Generator().manual_seed(1))
    rois = regions(16 * 8, 40)
    rois[:, 0][rois[:, 0] == 2] = 3
    settings = dict(
        output_size=(7, 3),
        spatial_scale=1 / 16,
        sampling_ratio=ratio,
        aligned=aligned,
    )
    out, gradient = pooled(RoIAlign(**settings), maps, rois)
    mine, my_gradient = pooled(MatrixRoIAlign(**settings), maps, rois)
    assert torch.equal(out, mine)
    torch.testing.assert_close(my_gradient, gradient, rtol=1e-4, atol=1e-5)
    assert gradient.abs().max() > 0.5 and my_gradient[2].abs().max() == 0


def test_without_regions_the_gradient_is_0_and_other_strides_are_the_same():
    maps = torch.randn(3, 4, 8, 8)
    none = torch.zeros(0, 5)
    assert pooled(MatrixRoIAlign(7, 1 / 16), maps, none)[1].abs().sum() == 0
    found = []
    for layer in (RoIAlign(7, 1 / 16), MatrixRoIAlign(7, 1 / 16)):
        own = maps.clone().requires_grad_()
        # A gradient that does not lie as what was pooled.
        layer(own, regions(128, 9)).transpose(1, 3).square().sum().backward()
        found.append(own.grad)
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


def test_weights_by_hand():
    """From 0.5 to 2.5 in one bin of two samples: at 1 and 2. Of one at -0.5, all at 0.

    An empty region has no sample, one more than a pixel outside has no weight.
    """
    starts = torch.tensor([0.5, -0.9, 1.0, -9.0])
    ends = torch.tensor([2.5, -0.1, 1.0, -7.0])
    weights = bin_weights(starts, ends, 1, 4, 0)[:, 0]
    expected = [[0, 0.5, 0.5, 0], [1, 0, 0, 0], [0] * 4, [0] * 4]
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_what_it_costs_is_counted_as_with_mmcvs_kernel():
    maps, rois = torch.randn(3, 4, 8, 8), regions(128, 9)
    with FlopCounterMode(display=False) as counter:
        pooled(MatrixRoIAlign(7, 1 / 16), maps, rois)
    assert counter.get_total_flops() == 0


def test_it_is_built_from_a_config_and_takes_no_other_pooling():
    config = dict(
        type='mmdetxfer.MatrixRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
        out_channels=4,
        featmap_strides=[16],
    )
    extractor = HOST_MODELS.build(config)
    assert isinstance(extractor, MatrixRoIExtractor)
    assert isinstance(extractor.roi_layers[0], MatrixRoIAlign)
    assert extractor.roi_layers[0].spatial_scale == 1 / 16
    config['roi_layer'] = dict(type='RoIPool', output_size=7)
    with pytest.raises(ValueError, match='expected a roi_layer of type RoIAlign'):
        HOST_MODELS.build(config)


@pytest.mark.parametrize(
    'settings', [dict(pool_mode='max'), dict(use_torchvision=True)]
)
def test_what_mmcv_does_otherwise_is_left_to_it(settings):
    maps, rois = torch.randn(3, 4, 8, 8), regions(128, 9)
    expected = pooled(RoIAlign(7, 1 / 16, **settings), maps, rois)
    found = pooled(MatrixRoIAlign(7, 1 / 16, **settings), maps, rois)
    assert all(map(torch.equal, expected, found))
