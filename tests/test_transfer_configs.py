"""The configs of transfer_det: what they keep fits, and detectors of all kinds train.

Only weights, widths, image sizes and folders differ from what a user runs.
"""

from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATA_SAMPLERS, DefaultScope
from torchvision.models import resnet18, resnet50, resnet101

from mmdetxfer.checkpoints.receipt import select
from mmdetxfer.installed_configs import config_path
from mmdetxfer.worlds import voc

FOLDER = Path(config_path('transfer_det/metafile.yml')).parent
CONFIGS = sorted(FOLDER.glob('*.py'))
RESNETS = {18: resnet18, 50: resnet50, 101: resnet101}


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'VOCdevkit'
    splits = {'train': 3, 'val': 3, 'test': 3}
    voc.write_voc2007(folder / 'VOC2007', splits, 0)
    voc.write_voc2012(folder / 'VOC2012', {'train': 3, 'val': 3}, 0)
    return folder


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def put_into(node, world):
    """Name the world's folder wherever the config names the real one."""
    if isinstance(node, dict):
        if 'data_root' in node:
            node['data_root'] = f'{world}/'
        for value in node.values():
            put_into(value, world)
    elif isinstance(node, (list, tuple)):
        for value in node:
            put_into(value, world)


def transfer_hook(cfg):
    (hook,) = (h for h in cfg.custom_hooks if h.type == 'mmdetxfer.TransferHook')
    return hook


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_what_a_config_keeps_is_the_whole_backbone(path):
    """Of an ordinary ResNet's file all goes in, but for its classifier.

    Deformable convolutions add offsets, in no file: under a tenth of the backbone.
    """
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    # Names and shapes are compared, not values.
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    hooks = [one.type for one in cfg.custom_hooks]
    if 'scratch' in path.stem:
        assert 'mmdetxfer.TransferHook' not in hooks and cfg.load_from is None
        return
    hook = transfer_hook(cfg)
    depth = cfg.model.backbone.depth
    if depth == 18:
        # The embedded candidates' own width.
        file_state = model.backbone.state_dict()
    else:
        with torch.device('meta'):
            file_state = RESNETS[depth]().state_dict()
    state = {f'backbone.{name}': value for name, value in file_state.items()}
    chosen = select(state, model.state_dict(), hook.keep, (), 'a file')
    assert not chosen.other_shape
    assert all(name.startswith('backbone.fc.') for name in chosen.unused)
    own = {k: v for k, v in model.state_dict().items() if k.startswith('backbone.')}
    left = [name for name in own if name not in chosen.kept]
    assert all('conv_offset' in name for name in left)
    share = sum(own[name].numel() for name in left) / sum(
        map(torch.numel, own.values())
    )
    assert share < 0.1 and bool(left) == ('dconv' in path.stem or 'mdconv' in path.stem)
    assert ('mmdetxfer.FreezeHook' in hooks) == ('frozen' in path.stem)


RESIZE = dict(type='Resize', scale=(96, 96), keep_ratio=True)
DETECTORS = [
    'faster-rcnn_r50-fpn_8xb2-4e_voc0712',
    'faster-rcnn_r101-mdconv-fpn_8xb2-4e_voc0712',
    'retinanet_r50-fpn_8xb2-4e_voc0712',
    'dino-4scale_r50_8xb2-12e_voc0712',
    'sniper_r50-c4c5-scratch_8xb16-7e_voc0712',
    'sniper_r18-c4c5_1xb16-7e_world-voc',
]


def small_images(node):
    """Replace what resizes images, whatever it is."""
    if isinstance(node, list):
        kinds = ('Resize', 'RandomChoice', 'RandomChoiceResize')
        for place, one in enumerate(node):
            if isinstance(one, dict) and one.get('type') in kinds:
                node[place] = dict(RESIZE)
            else:
                small_images(one)
    elif isinstance(node, dict):
        for value in node.values():
            small_images(value)


def make_small(model):
    """Make an ordinary ResNet a quarter as wide, queries and proposals few."""
    if model.backbone.depth > 18:
        model.backbone.update(depth=50, base_channels=16)
        model.neck.in_channels = [count // 4 for count in model.neck.in_channels]
    if model.type == 'DINO':
        model.num_queries = 20
        model.dn_cfg.group_cfg.num_dn_queries = 10
    elif 'Joined' in model.neck.type:
        model.rpn_head.in_channels = sum(model.neck.in_channels)
    if 'rpn_proposal' in (model.get('train_cfg') or {}):
        model.train_cfg.rpn_proposal.update(nms_pre=300, max_per_img=60)


@pytest.mark.parametrize('name', DETECTORS)
def test_detectors_of_all_kinds_train_a_step(world, name):
    content = Config.fromfile(FOLDER / f'{name}.py').to_dict()
    put_into(content, world)
    small_images(content['train_dataloader'])
    cfg = Config(content)
    cfg.model.backbone.init_cfg = None
    make_small(cfg.model)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    loader = cfg.train_dataloader
    dataset = DATASETS.build(loader.dataset)
    sampler = DATA_SAMPLERS.build(dict(loader.sampler, dataset=dataset, seed=0))
    assert len(dataset) > 2 and len(dataset.metainfo['classes']) == 20
    batch = pseudo_collate([dataset[index] for index in list(sampler)[:2]])
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total) and total > 0
    trained = [p for p in model.backbone.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)
    assert any(p.grad.any() for p in trained)


def test_rates_of_parts_are_the_hosts_own_setting():
    """A tenth for the backbone; what is frozen has none."""
    cfg = Config.fromfile(FOLDER / 'sniper_r50-c4c5-cls_8xb16-7e_voc0712.py')
    cfg.model.backbone.init_cfg = None
    cfg.merge_from_dict(
        {'optim_wrapper.paramwise_cfg.custom_keys': {'backbone': dict(lr_mult=0.1)}}
    )
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    rates = {
        name: group['lr'] / cfg.optim_wrapper.optimizer.lr
        for group in wrapper.optimizer.param_groups
        for name, own in model.named_parameters()
        if own is group['params'][0]
    }
    assert rates['backbone.layer3.0.conv1.weight'] == pytest.approx(0.1)
    assert rates['roi_head.bbox_head.fc_cls.weight'] == 1


def test_difficult_boxes_are_left_out_of_training(world):
    """They are read as ignored boxes, which chips keep out of both kinds of labels."""
    content = Config.fromfile(
        FOLDER / 'sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'
    ).to_dict()
    put_into(content, world)
    dataset = DATASETS.build(Config(content).train_dataloader.dataset.dataset)
    flags = [
        one['ignore_flag']
        for index in range(len(dataset))
        for one in dataset.get_data_info(index)['instances']
    ]
    text = ''.join(path.read_text() for path in world.rglob('Annotations/*.xml'))
    assert 0 < sum(flags) <= text.count('<difficult>1</difficult>')


def test_the_step_is_at_the_end_of_epoch_5_of_7():
    cfg = Config.fromfile(FOLDER / 'sniper_r50-c4c5-loc_8xb16-7e_voc0712.py')
    warm_up, step = cfg.param_scheduler
    assert (cfg.train_cfg.max_epochs, step.milestones) == (7, [5])
    assert warm_up.end == 1000 and warm_up.start_factor == pytest.approx(1 / 30)
