"""SNIPER's deformable convolution: plain at first, offsets from an undilated one."""

import pytest
import torch
from mmdet.models.backbones import ResNet
from torch.nn import functional

from mmdetxfer.models import UndilatedOffsetDeformConv

DEFORMABLE = dict(type='mmdetxfer.UndilatedOffsetDeformConv', deform_groups=4)


def layer(**options):
    torch.manual_seed(0)
    return UndilatedOffsetDeformConv(
        8, 6, 3, padding=2, dilation=2, bias=False, deform_groups=4, **options
    )


def test_at_first_it_is_the_plain_dilated_convolution():
    conv, x = layer(), torch.randn(2, 8, 9, 11)
    expected = functional.conv2d(x, conv.weight, padding=2, dilation=2)
    torch.testing.assert_close(conv(x), expected, rtol=1e-4, atol=1e-5)


def test_offsets_come_from_a_convolution_without_dilation():
    """4 groups of 9 places with two offsets: 72. The tap beside the centre alone.

    Its weight moves every place of the output by the left neighbour's value, 1 pixel to
    the right where that is 1. A dilated one would take the neighbour two pixels away.
    """
    conv = layer()
    assert conv.conv_offset.dilation == (1, 1) and conv.conv_offset.padding == (1, 1)
    assert conv.conv_offset.out_channels == 72
    x = torch.zeros(1, 8, 5, 7)
    x[0, 0, 2, 3] = 1.0
    with torch.no_grad():
        conv.conv_offset.weight[:, 0, 1, 0] = 1.0
    offsets = conv.conv_offset(x)
    assert offsets[0, :, 2, 4].tolist() == [1.0] * 72
    assert offsets.abs().sum() == 72
    plain = functional.conv2d(x, conv.weight, padding=2, dilation=2)
    differs = (conv(x) - plain).abs().sum(1)[0] > 1e-6
    assert not differs[:, :4].any() and not differs[:2].any()


def test_offsets_learn():
    conv = layer()
    conv(torch.randn(1, 8, 9, 9)).square().sum().backward()
    assert conv.conv_offset.weight.grad.abs().sum() > 0


def backbone(**options):
    return ResNet(
        50,
        base_channels=8,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        dcn=DEFORMABLE,
        stage_with_dcn=(False, False, False, True),
        **options,
    )


def test_all_three_of_the_last_stage_are_deformable_and_begin_at_zero():
    """Kaiming's initialisation takes the offsets' layers for plain convolutions."""
    model = backbone()
    model.init_weights()
    found = {
        name
        for name, module in model.named_modules()
        if isinstance(module, UndilatedOffsetDeformConv)
    }
    assert found == {f'layer4.{k}.conv2' for k in range(3)}
    for name in found:
        offset = model.get_submodule(name).conv_offset
        assert not offset.weight.any() and not offset.bias.any()
    maps = model(torch.randn(1, 3, 64, 64))
    assert maps[3].shape == (1, 256, 4, 4)


def test_offsets_of_a_checkpoint_are_kept(tmp_path):
    model = backbone()
    for module in model.modules():
        if isinstance(module, UndilatedOffsetDeformConv):
            torch.nn.init.constant_(module.conv_offset.weight, 0.5)
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    weights = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
    other = backbone(init_cfg=weights)
    other.init_weights()
    assert (other.layer4[0].conv2.conv_offset.weight == 0.5).all()


def test_the_hosts_basic_blocks_take_none():
    with pytest.raises(AssertionError, match='Not implemented'):
        ResNet(18, dcn=DEFORMABLE, stage_with_dcn=(False, False, False, True))
