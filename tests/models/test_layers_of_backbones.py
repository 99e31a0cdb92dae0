"""Layers of backbones whose tokens and maps come in orders of their own.

What is expected is the host's own map of the same network: it takes class tokens away
and reshapes by itself.
"""

import numpy as np
import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmdetxfer.engine.frozen_features import FrozenFeatures, requests_for
from mmdetxfer.errors import UserError
from mmdetxfer.models.named_layers import NamedLayers

ARCH = dict(embed_dims=12, num_layers=3, num_heads=2, feedforward_channels=24)


@pytest.fixture(scope='module', autouse=True)
def modules():
    register_all_modules(init_default_scope=False)


@pytest.fixture
def images():
    torch.manual_seed(1)
    return torch.randn(2, 3, 64, 64)


def of_backbone(backbone):
    model = nn.Module()
    model.backbone = backbone
    model.eval()
    return model


def built(kind, **settings):
    """Build a model of nothing but a backbone, with random weights."""
    torch.manual_seed(0)
    model = of_backbone(MODELS.build(dict(type=kind, **settings)))
    for name, weights in model.named_parameters():
        if name.endswith('cls_token'):
            # Zeros in the hosts, as if it were not there.
            nn.init.normal_(weights)
    return model


def outputs(model, images):
    with torch.no_grad():
        return model.backbone(images)


@pytest.mark.parametrize(
    'kind, settings',
    [
        ('mmpretrain.EfficientNet', dict(arch='b0', out_indices=(2, 6))),
        ('mmpretrain.MobileNetV3', dict(arch='small_075', out_indices=(2, 6))),
        ('mmdet.EfficientNet', dict(arch='b0', out_indices=(2, 6))),
        ('mmdet.PyramidVisionTransformer', dict(embed_dims=8, num_heads=[1, 1, 1, 1])),
        ('mmseg.MixVisionTransformer', dict(embed_dims=8, num_heads=[1, 1, 1, 1])),
    ],
)
def test_only_attention_blocks_in_a_row_are_blocks(kind, settings, images):
    """Containers of stages or convolutions have the same names in the hosts."""
    model = built(kind, **settings)
    layers = NamedLayers(model)
    indices = settings.get('out_indices', range(4))
    assert layers.names == tuple(f'stage{k + 1}' for k in indices)
    found = layers(images, layers.names)
    last = layers(images, ['last'])
    assert last.keys() == {'last'}
    assert torch.equal(last['last'], found[layers.names[-1]])
    for own, one in zip(found.values(), outputs(model, images), strict=True):
        assert own.ndim == 4 and torch.equal(own, one)


MMSEG = dict(
    img_size=64, embed_dims=12, num_layers=3, num_heads=2, out_indices=(0, 1, 2)
)


@pytest.mark.parametrize(
    'kind, settings',
    [
        ('mmseg.VisionTransformer', dict(MMSEG)),
        ('mmseg.VisionTransformer', dict(MMSEG, with_cls_token=False)),
        ('mmseg.VisionTransformer', dict(MMSEG, output_cls_token=True)),
        ('mmseg.BEiT', dict(MMSEG)),
        ('mmseg.MAE', dict(MMSEG)),
    ],
)
def test_blocks_of_mmseg_have_no_class_token(kind, settings, images):
    """16 patches of 16 px, with the host's own map of each block."""
    model = built(kind, **settings)
    layers = NamedLayers(model)
    assert layers.names == tuple(
        f'{one}{k}' for one in ('block', 'stage') for k in '123'
    )
    found = layers(images, layers.names)
    maps = outputs(model, images)
    if settings.get('output_cls_token'):
        maps = [one for one, token in maps]
    for number, one in enumerate(maps, 1):
        assert one.shape == (2, 12, 4, 4)
        assert torch.equal(found[f'stage{number}'], one)
        assert torch.equal(found[f'block{number}'], one.flatten(2))


def test_blocks_of_maps_have_their_channels_first(images):
    """ViTSAM's are (N, H, W, C); the host's map is that of the last block."""
    sam = dict(arch=dict(ARCH, global_attn_indexes=[1]), img_size=64, out_channels=0)
    model = built('mmpretrain.ViTSAM', window_size=2, **sam)
    found = NamedLayers(model)(images, ['block1', 'block3', 'stage3'])
    (last,) = outputs(model, images)
    assert last.shape == found['block1'].shape == (2, 12, 4, 4)
    assert torch.equal(found['block3'], last) and torch.equal(found['stage3'], last)


@pytest.mark.parametrize(
    'kind, settings, num_before',
    [
        ('mmpretrain.VisionTransformer', dict(arch=ARCH), 1),
        ('mmpretrain.DistilledVisionTransformer', dict(arch=ARCH), 2),
        (
            'mmpretrain.XCiT',
            dict(embed_dims=12, depth=1, num_heads=2, patch_size=16),
            1,
        ),
    ],
)
def test_tokens_that_are_returned_are_those_of_patches(
    kind, settings, num_before, images
):
    """Before them is a class token, in DeiT one for distillation too."""
    model = built(kind, img_size=64, out_type='raw', **settings)
    layers = NamedLayers(model)
    name = layers.names[-1]
    found = layers(images, [name])[name]
    (raw,) = outputs(model, images)
    assert raw.shape == (2, num_before + 16, 12)
    assert found.shape == (2, 12, 16)
    if num_before == 1:
        model.backbone.out_type = 'featmap'
        (expected,) = outputs(model, images)
        expected = expected.flatten(2)
    else:
        expected = raw[:, 2:].transpose(1, 2)
    assert torch.equal(found, expected)


def test_tokens_that_come_last_stay_there(images):
    """MLP-Mixer returns (N, C, L), and has no blocks of attention."""
    arch = dict(ARCH, num_layers=2, tokens_mlp_dims=8, channels_mlp_dims=24)
    del arch['num_heads'], arch['feedforward_channels']
    model = built('mmpretrain.MlpMixer', arch=arch, img_size=64)
    found = NamedLayers(model)(images, ['stage2'])['stage2']
    assert found.shape == (2, 12, 16)
    assert torch.equal(found, outputs(model, images)[0])


class Toy(nn.Module):
    """Two blocks, the second never called; so many outputs."""

    out_indices = (0,)

    def __init__(self, num_outputs=1):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Conv2d(3, 2, 1) for _ in range(2)])
        for block in self.blocks:
            block.attn = nn.Identity()
        self.num_outputs = num_outputs

    def forward(self, images):
        return (self.blocks[0](images),) * self.num_outputs


def test_a_block_that_is_never_called_is_named(images):
    layers = NamedLayers(of_backbone(Toy()))
    assert set(layers(images, ['block1', 'stage1'])) == {'block1', 'stage1'}
    with pytest.raises(UserError, match='of block2, but Toy never calls it: leave out'):
        layers(images, ['block2'])


def test_more_outputs_than_names_are_refused(images):
    with pytest.raises(UserError, match='expected stage1 of Toy, .* got 2 outputs'):
        NamedLayers(of_backbone(Toy(2)))(images, ['stage1'])


def timm_of(name, **settings):
    pytest.importorskip('timm')
    return built('mmpretrain.TIMMBackbone', model_name=name, **settings)


VIT = dict(embed_dim=12, depth=3, num_heads=2, dynamic_img_size=True)


def test_a_timm_transformers_one_map_is_at_stride_16():
    """96x64 px at a stride of 16, and the tokens of the block that it is of."""
    images = torch.randn(2, 3, 96, 64)
    settings = dict(VIT, features_only=True, out_indices=(1,))
    model = timm_of('vit_tiny_patch16_224', **settings)
    layers = NamedLayers(model)
    assert layers.names == ('stage2',)
    found = layers(images, ['stage2'])['stage2']
    assert found.shape == (2, 12, 6, 4)
    plain = timm_of('vit_tiny_patch16_224', **VIT)
    inner = model.backbone.timm_model.model.state_dict()
    plain.backbone.timm_model.load_state_dict(inner, strict=False)
    tokens = NamedLayers(plain)(images, ['block2'])['block2']
    torch.testing.assert_close(found.flatten(2), tokens)


def test_features_of_a_timm_transformer_are_means_of_its_map():
    """Of 4x4 fields four each, and of all."""
    pytest.importorskip('timm')
    vit = dict(VIT, features_only=True, out_indices=(1,))
    backbone = dict(type='TIMMBackbone', model_name='vit_tiny_patch16_224', **vit)
    preprocessor = dict(mean=[10.0] * 3, std=[2.0] * 3)
    settings = dict(backbone=backbone, data_preprocessor=preprocessor)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(type='ImageClassifier', **settings)).eval()
    requests = requests_for(NamedLayers(model), ['stage2:1,2'], [1], print)
    pictures = [torch.randint(256, (3, 64, 64), dtype=torch.uint8) for _ in range(3)]
    found = FrozenFeatures(model, requests, 2, print)(pictures)
    with torch.no_grad():
        (maps,) = model.backbone((torch.stack(pictures).float() - 10) / 2)
    fields = maps.reshape(3, 12, 2, 2, 2, 2).mean((3, 5)).flatten(1)
    settings = dict(rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found['stage2 1x1'], maps.mean((2, 3)), **settings)
    np.testing.assert_allclose(found['stage2 2x2'], fields, **settings)


def test_what_timm_returns_as_tokens_are_those_of_patches(images):
    """Five tokens before: one of the class and four registers."""
    model = timm_of('vit_tiny_patch16_224', reg_tokens=4, **VIT)
    layers = NamedLayers(model)
    assert layers.names == ('block1', 'block2', 'block3', 'stage1')
    found = layers(images, ['block3', 'stage1'])
    with torch.no_grad():
        tokens = model.backbone.timm_model.forward_features(images)
        intermediate = model.backbone.timm_model.forward_intermediates(
            images, indices=[2], intermediates_only=True
        )
    assert tokens.shape == (2, 21, 12)
    assert torch.equal(found['stage1'], tokens[:, 5:].transpose(1, 2))
    assert torch.equal(found['block3'], intermediate[0].flatten(2))


def test_blocks_before_the_class_token_keep_all_patches(images):
    """CaiT adds it behind them; its last output has it."""
    settings = dict(img_size=64, embed_dim=12, depth=2, num_heads=2)
    model = timm_of('cait_xxs24_224', **settings)
    found = NamedLayers(model)(images, ['block2', 'stage1'])
    assert found['block2'].shape == found['stage1'].shape == (2, 12, 16)
    with torch.no_grad():
        (expected,) = model.backbone.timm_model.forward_intermediates(
            images, indices=[1], intermediates_only=True
        )
    assert torch.equal(found['block2'], expected.flatten(2))


def test_timms_convolutions_have_a_map_for_each_stride(images):
    """Stage k at stride 2**k: 64 px become 32, 16, 8, 4 and 2."""
    model = timm_of('resnet18', features_only=True)
    layers = NamedLayers(model)
    assert layers.names == tuple(f'stage{k}' for k in range(1, 6))
    found = layers(images, layers.names)
    sizes = [tuple(one.shape[1:]) for one in found.values()]
    channels = (64, 64, 128, 256, 512)
    assert sizes == [
        (count, 64 >> k, 64 >> k) for k, count in enumerate(channels, start=1)
    ]
    last = timm_of('resnet18', features_only=True, out_indices=(-1,))
    assert NamedLayers(last).names == ('stage5',)
    with pytest.raises(
        UserError, match=r'expected rising out_indices, .* got \(3, 1\)'
    ):
        NamedLayers(timm_of('resnet18', features_only=True, out_indices=(3, 1)))


@pytest.mark.parametrize('features_only', [True, False])
def test_timms_maps_have_their_channels_first(features_only, images):
    """Swin's are (N, H, W, C): of 12 channels at stride 4, twice as many each time."""
    settings = dict(img_size=64, embed_dim=12, window_size=2, num_heads=(1, 1, 2, 2))
    settings.update(depths=(1, 1, 1, 1), features_only=features_only)
    model = timm_of('swin_tiny_patch4_window7_224', **settings)
    layers = NamedLayers(model)
    assert len(layers.names) == (4 if features_only else 1)
    found = list(layers(images, layers.names).values())
    maps = [maps.permute(0, 3, 1, 2) for maps in outputs(model, images)]
    assert all(torch.equal(own, one) for own, one in zip(found, maps, strict=True))
    sizes = [(12, 16, 16), (24, 8, 8), (48, 4, 4), (96, 2, 2)]
    assert [tuple(one.shape[1:]) for one in found] == sizes[-len(found) :]


def test_a_timm_mixer_has_its_channels_last(images):
    """mmpretrain's class of the same name has them first."""
    model = timm_of('mixer_s32_224', img_size=64)
    layers = NamedLayers(model)
    (name,) = [name for name in layers.names if name.startswith('stage')]
    found = layers(images, [name])[name]
    with torch.no_grad():
        tokens = model.backbone.timm_model.forward_features(images)
    assert found.shape == (2, 512, 4)
    assert torch.equal(found, tokens.transpose(1, 2))
