"""The layers of networks by name: what each is, for all kinds of networks."""

import pytest
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.nn import functional

from mmdetxfer.errors import UserError
from mmdetxfer.installed_configs import config_path
from mmdetxfer.models.named_layers import NamedLayers

CONVS = ('Conv2', 'Conv3', 'Conv4', 'Conv5')
HEAD = ('ConvProj', 'FC1', 'FC2')


def built(config, **changes):
    """Build the network of a config, with random weights."""
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(config_path(config))
    cfg.model.backbone.init_cfg = None
    cfg.model.backbone.pop('pretrained', None)
    cfg.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model).eval()


@pytest.fixture(scope='module')
def detector():
    return built('sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py')


@pytest.fixture(scope='module')
def images():
    torch.manual_seed(1)
    return torch.randn(2, 3, 64, 64)


def test_a_detectors_layers_are_those_of_its_own_forward_pass(detector, images):
    """One region, the whole image; each FC after its ReLU, by the head's own layers."""
    layers = NamedLayers(detector)
    assert layers.names == CONVS + HEAD
    found = layers(images, layers.names)
    with torch.no_grad():
        maps = detector.backbone(images)
        projection, _ = detector.neck(maps)
        rois = torch.tensor([[0, 0, 0, 64, 64], [1, 0, 0, 64, 64.0]])
        x = detector.roi_head.bbox_roi_extractor((projection,), rois).flatten(1)
        first, second = detector.roi_head.bbox_head.shared_fcs
        one = functional.relu(first(x))
        two = functional.relu(second(one))
    assert torch.equal(found['Conv4'], maps[0]) and torch.equal(found['Conv5'], maps[1])
    assert torch.equal(found['ConvProj'], projection)
    assert torch.equal(found['FC1'], one) and torch.equal(found['FC2'], two)
    assert found['FC1'].min() == 0 < found['FC1'].max()
    shapes = [tuple(found[name].shape[1:]) for name in CONVS]
    assert shapes == [(16, 16, 16), (32, 8, 8), (64, 4, 4), (128, 4, 4)]


def test_only_what_is_asked_for_is_returned_and_nothing_listens_on(detector, images):
    found = NamedLayers(detector)(images, ['FC2', 'Conv2'])
    assert list(found) == ['FC2', 'Conv2']
    assert not any(module._forward_hooks for module in detector.modules())


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(detector, images):
    with pytest.raises(UserError, match="no layer 'FC3'; it has Conv2, .*, FC1, FC2"):
        NamedLayers(detector)(images, ['Conv5', 'FC3'])
    with pytest.raises(UserError, match='expected a model with a backbone, .* Linear'):
        NamedLayers(nn.Linear(1, 1))


@pytest.mark.parametrize(
    'config, names',
    [
        ('tiny/tiny_det_retinanet-r18_1xb4-2e_world-voc.py', CONVS),
        ('tiny/tiny_cls_r18_1xb8-2e_world-imagenet.py', CONVS),
        ('tiny/tiny_seg_fcn-r18_1xb4-8i_world-voc.py', CONVS),
        (
            'tiny/resume_det_retinanet-swin_1xb2-12e_world-voc.py',
            ('stage1', 'stage2', 'stage3', 'stage4'),
        ),
        ('transfer_det/faster-rcnn_r50-fpn_8xb2-4e_voc0712.py', (*CONVS, 'FC1', 'FC2')),
        ('transfer_det/dino-4scale_r50_8xb2-12e_voc0712.py', CONVS),
    ],
)
def test_layers_that_a_kind_of_network_lacks_are_not_among_its_names(
    config, names, images
):
    """One-stage detectors and DETR have no second stage, FPN no projection."""
    layers = NamedLayers(built(config))
    assert set(names) >= set(layers.names) - {'stage4'}
    assert layers.names[:1] == names[:1] and layers.names[-1] in names
    found = layers(images, layers.names)
    assert all(len(tensor) == 2 for tensor in found.values())


def test_a_transformers_blocks_are_its_patch_tokens(images):
    """Without the class token: 16 patches of 16 px."""
    register_all_modules(init_default_scope=False)
    model = nn.Module()
    arch = dict(embed_dims=12, num_layers=3, num_heads=2, feedforward_channels=24)
    settings = dict(type='mmpretrain.VisionTransformer', arch=arch, img_size=64)
    model.backbone = MODELS.build(settings)
    model.eval()
    layers = NamedLayers(model)
    assert layers.names == ('block1', 'block2', 'block3', 'stage3')
    seen = []
    handle = model.backbone.layers[1].register_forward_hook(
        lambda *parts: seen.append(parts[-1])
    )
    found = layers(images, layers.names)
    handle.remove()
    assert torch.equal(found['block2'], seen[0][:, 1:].transpose(1, 2))
    assert found['block2'].shape == (2, 12, 16) and found['stage3'].shape == (2, 12)


def test_of_a_cascade_the_first_stage_counts(images):
    """Its own extractor, each level of FPN; the second and third are not asked."""
    register_all_modules(init_default_scope=False)
    cfg = get_config('mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py')
    cfg.model.backbone.update(depth=18, base_channels=8, init_cfg=None)
    cfg.model.neck.update(in_channels=[8, 16, 32, 64], out_channels=8)
    cfg.model.rpn_head.update(in_channels=8, feat_channels=8)
    cfg.model.roi_head.bbox_roi_extractor.out_channels = 8
    for head in cfg.model.roi_head.bbox_head:
        head.update(in_channels=8, fc_out_channels=16)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model).eval()
    layers = NamedLayers(model)
    assert layers.names == (*CONVS, 'FC1', 'FC2')
    found = layers(images, ['FC1', 'FC2'])
    with torch.no_grad():
        maps = model.neck(model.backbone(images))
        rois = torch.tensor([[0, 0, 0, 64, 64], [1, 0, 0, 64, 64.0]])
        x = model.roi_head.bbox_roi_extractor[0](maps[:4], rois).flatten(1)
        first, second = model.roi_head.bbox_head[0].shared_fcs
        one = functional.relu(first(x))
        two = functional.relu(second(one))
    assert found['FC1'].shape == (2, 16) and one.max() > 0
    assert torch.equal(found['FC1'], one) and torch.equal(found['FC2'], two)


def test_the_last_map_of_pre_activation_is_behind_its_closing_norm(images):
    model = nn.Module()
    settings = dict(type='mmdetxfer.PreActResNet', depth=18, base_channels=8)
    model.backbone = MODELS.build(dict(settings, has_final_norm=True)).eval()
    layers = NamedLayers(model)
    assert set(layers.names) == set(CONVS)
    found = layers(images, CONVS)
    with torch.no_grad():
        maps = model.backbone(images)
    assert all(
        torch.equal(found[name], one) for name, one in zip(CONVS, maps, strict=True)
    )
    assert found['Conv5'].min() == 0 > found['Conv4'].min()


def test_deformable_pooling_needs_a_gpu_for_the_head_alone(images):
    model = built('sniper/sniper_preact-r101-dcn-c4c5_8xb16-7e_coco.py')
    layers = NamedLayers(model)
    assert layers(images, ['ConvProj'])['ConvProj'].shape == (2, 256, 4, 4)
    with pytest.raises(UserError, match='deformable RoI pooling has no CPU kernel'):
        layers(images, ['FC1'])
