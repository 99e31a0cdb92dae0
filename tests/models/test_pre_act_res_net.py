"""The pre-activation ResNet against plain arithmetic, and in the three hosts."""

import pytest
import torch
from mmengine.registry import MODELS as ROOT
from mmengine.registry import DefaultScope
from torch import nn
from torch.nn import functional

from mmdetxfer.models import PreActResNet, UndilatedOffsetDeformConv


def network(depth=50, **options):
    torch.manual_seed(0)
    model = PreActResNet(depth, base_channels=4, **options)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model.eval()


def rectified(state, name, x):
    mean, var = state[f'{name}.running_mean'], state[f'{name}.running_var']
    x = functional.batch_norm(
        x, mean, var, state[f'{name}.weight'], state[f'{name}.bias'], eps=2e-5
    )
    return x if name == 'input_norm' else x.relu()


def by_hand(state, x, num_units, sizes, strides, dilations):
    """Walk through the tensors of a state dict, unit by unit (He et al. 2016b)."""
    x = rectified(state, 'input_norm', x)
    x = functional.conv2d(x, state['conv0.weight'], stride=2, padding=3)
    x = functional.max_pool2d(rectified(state, 'norm0', x), 3, 2, 1)
    maps = []
    for stage in range(4):
        for unit in range(num_units[stage]):
            name = f'stage{stage + 1}.{unit}'
            stride = strides[stage] if unit == 0 else 1
            branch = rectified(state, f'{name}.norm1', x)
            if unit == 0:
                x = functional.conv2d(
                    branch, state[f'{name}.shortcut.weight'], stride=stride
                )
            strided = sizes.index(3)
            for number, size in enumerate(sizes):
                if number > 0:
                    branch = rectified(state, f'{name}.norm{number + 1}', branch)
                dilation = dilations[stage] if size == 3 else 1
                branch = functional.conv2d(
                    branch,
                    state[f'{name}.conv{number + 1}.weight'],
                    stride=stride if number == strided else 1,
                    padding=dilation if size == 3 else 0,
                    dilation=dilation,
                )
            x = x + branch
        maps.append(x)
    return maps


@pytest.mark.parametrize(
    'depth, num_units, sizes',
    [(18, (2, 2, 2, 2), (3, 3)), (50, (3, 4, 6, 3), (1, 3, 1))],
)
def test_maps_are_those_of_plain_arithmetic(depth, num_units, sizes):
    shape = dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
    model, x = network(depth, **shape), torch.randn(1, 3, 64, 64)
    expected = by_hand(model.state_dict(), x, num_units, sizes, *shape.values())
    for found, one in zip(model(x), expected, strict=True):
        torch.testing.assert_close(found, one, rtol=1e-4, atol=1e-4)
    assert [found.shape[-1] for found in model(x)] == [16, 8, 4, 4]
    # Nothing is normalised or rectified behind the last unit.
    assert (model(x)[3] < 0).any()


def test_a_final_norm_rectifies_the_last_map_alone():
    x = torch.randn(1, 3, 64, 64)
    maps = network(has_final_norm=True)(x)
    assert (maps[3] >= 0).all() and (maps[2] < 0).any()


def test_the_number_of_weights_is_that_of_the_published_network():
    """ResNet-101 of 64: 42.5 million, the first of each stage with a shortcut.

    Convolutions: stem 9,408; a bottleneck of c channels from d has dc + 9cc + 4cc, its
    shortcut 4dc.
    """
    expected = 64 * 3 * 49
    width = 64
    for channels, units in ((64, 3), (128, 4), (256, 23), (512, 3)):
        for unit in range(units):
            expected += width * channels + 13 * channels**2
            expected += 4 * width * channels * (unit == 0)
            width = 4 * channels
    model = PreActResNet(101)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert sum(conv.weight.numel() for conv in convs) == expected
    assert 42.3e6 < expected < 42.5e6


def test_the_last_stage_is_deformable_by_switch_and_begins_as_a_plain_one():
    options = dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
    plain, deformable = network(**options), network(deform_groups=4, **options)
    found = [
        name
        for name, module in deformable.named_modules()
        if isinstance(module, UndilatedOffsetDeformConv)
    ]
    assert found == [f'stage4.{k}.conv2' for k in range(3)]
    # Kaiming's initialisation of all convolutions leaves the offsets out.
    deformable.init_weights()
    for name in found:
        offset = deformable.get_submodule(name).conv_offset
        assert not offset.weight.any() and not offset.bias.any()
    missing = deformable.load_state_dict(plain.state_dict(), strict=False)
    assert len(missing.missing_keys) == 6 and not missing.unexpected_keys
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(deformable(x)[3], plain(x)[3], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('frozen', [-1, 0, 1, 4])
def test_frozen_stages_keep_weights_and_statistics(frozen):
    """SNIPER freezes the stem and the first stage; the input's norm always is."""
    model = network(18, frozen_stages=frozen).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    total = model(torch.randn(2, 3, 64, 64, requires_grad=True))[3].sum()
    total.backward()
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.data -= parameter.grad
    changed = {
        name.split('.')[0]
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    stem = {'conv0', 'norm0'} if frozen < 0 else set()
    assert changed == stem | {f'stage{k}' for k in range(max(frozen, 0) + 1, 5)}


def test_norms_may_keep_their_statistics_in_training():
    model = network(18, norm_eval=True).train()
    before = model.stage4[0].norm1.running_mean.clone()
    model(torch.randn(2, 3, 64, 64))
    assert torch.equal(model.stage4[0].norm1.running_mean, before)
    assert model.stage4[0].norm1.weight.requires_grad


def test_norms_are_of_the_kind_that_is_named():
    """MXNet's: eps 2e-5, momentum 0.005 in torch's counting."""
    usual = PreActResNet(18, base_channels=4)
    other = PreActResNet(18, base_channels=4, norm_cfg=dict(type='BN', momentum=0.3))
    assert (usual.norm0.eps, usual.norm0.momentum) == (2e-5, 0.005)
    assert other.stage4[1].norm2.momentum == 0.3


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(depth=42), r'depth: expected one of \[18, 34, 50, 101, 152\], got 42'),
        (dict(depth=34, deform_groups=4), 'expected bottleneck units .* got depth 34'),
        (dict(depth=18, frozen_stages=5), 'got 5 and'),
        (dict(depth=18, out_indices=(4,)), r'got -1 and \(4,\)'),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PreActResNet(**options)


def built(scope, cfg):
    with DefaultScope.overwrite_default_scope(scope):
        return ROOT.build(cfg)


BACKBONE = dict(type='mmdetxfer.PreActResNet', depth=18, base_channels=4)


def test_it_is_a_backbone_for_mmseg():
    import mmseg.models  # noqa: F401

    model = built(
        'mmseg',
        dict(
            type='mmseg.EncoderDecoder',
            backbone=BACKBONE,
            decode_head=dict(
                type='mmseg.FCNHead',
                in_channels=32,
                channels=8,
                num_convs=1,
                in_index=3,
                num_classes=5,
            ),
            test_cfg=dict(mode='whole'),
        ),
    )
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5, 2, 2)


def test_it_is_a_backbone_for_mmpretrain():
    import mmpretrain.models  # noqa: F401

    model = built(
        'mmpretrain',
        dict(
            type='mmpretrain.ImageClassifier',
            backbone={**BACKBONE, 'out_indices': (3,), 'has_final_norm': True},
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(type='mmpretrain.LinearClsHead', num_classes=7, in_channels=32),
        ),
    )
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 7)
