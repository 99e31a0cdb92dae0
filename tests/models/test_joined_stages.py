"""The joined map holds both stages; the projection is a 1x1 convolution with ReLU."""

import pytest
import torch
from torch.nn import functional

from mmdetxfer.models import JoinedStages


def test_both_maps_stand_side_by_side_and_the_projection_is_of_all_channels():
    neck = JoinedStages(in_channels=[3, 5], out_channels=2)
    neck.init_weights()
    fine, coarse = torch.randn(2, 3, 6, 4), torch.randn(2, 5, 6, 4)
    projected, together = neck((fine, coarse))
    assert torch.equal(together, torch.cat([fine, coarse], 1))
    weight, bias = neck.projection.weight, neck.projection.bias
    expected = torch.einsum('oi,bihw->bohw', weight[..., 0, 0], together)
    expected = (expected + bias[:, None, None]).clamp(min=0)
    assert torch.allclose(projected, expected, atol=1e-6)
    assert (bias == 0).all() and 0.004 < weight.std() < 0.02


def test_the_projection_starts_as_it_is_told():
    constant = dict(type='Constant', val=2, layer='Conv2d')
    neck = JoinedStages(in_channels=[3, 5], init_cfg=constant)
    neck.init_weights()
    assert (neck.projection.weight == 2).all()


def test_a_coarser_last_map_is_brought_to_the_stride_of_the_other():
    """As behind a Swin, whose last stage has stride 32."""
    neck = JoinedStages(in_channels=[3, 5])
    fine, coarse = torch.randn(1, 3, 6, 4), torch.randn(1, 5, 3, 2)
    _, together = neck((fine, coarse))
    expected = functional.interpolate(coarse, (6, 4), mode='bilinear')
    assert torch.equal(together[:, 3:], expected)


def test_another_number_of_stages_is_refused():
    with pytest.raises(ValueError, match=r'last two stages, got \[1, 2, 3\]; set the'):
        JoinedStages(in_channels=[1, 2, 3])
