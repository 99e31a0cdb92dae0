"""The configs of transfer_seg: what they keep fits, and segmentors train a step."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS as DETECTION
from mmdet.utils import register_all_modules as register_detection
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import register_all_modules
from torchvision.models import resnet50, resnet101

from mmdetxfer.checkpoints.receipt import select
from mmdetxfer.datasets.sbd_labels import convert_sbd
from mmdetxfer.installed_configs import config_path
from mmdetxfer.worlds import sbd, voc

FOLDER = Path(config_path('transfer_seg/metafile.yml')).parent
CONFIGS = sorted(FOLDER.glob('*.py'))
WHOLE = {50: resnet50, 101: resnet101}
# Whose backbone a config is for, where it is none of torchvision's.
SOURCES = {
    'deeplab_preact-r101-dcn_8xb1-30k_voc12aug': (
        'sniper/sniper_preact-r101-dcn-c4c5_8xb16-7e_coco.py'
    ),
    'deeplab_r50-dcn_8xb1-30k_voc12aug': 'sniper/sniper_r50-dcn-c4c5_8xb16-7e_coco.py',
    'deeplab_r18_1xb8-500i_world-voc': (
        'sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py'
    ),
    'upernet_swin-t_8xb2-20k_voc12aug': 'sniper/sniper_swin-t-c4c5_8xb16-7e_coco.py',
}


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'VOCdevkit'
    voc.write_voc2012(folder / 'VOC2012', {'train': 6, 'val': 4}, 0)
    sbd.write(folder / 'VOCaug', {'train': 6, 'val': 4}, 0)
    convert_sbd(folder / 'VOC2012', folder / 'VOCaug')
    return folder / 'VOC2012'


@pytest.fixture(autouse=True)
def scope():
    register_detection(init_default_scope=False)
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def put_into(node, world):
    if isinstance(node, dict):
        if 'data_root' in node:
            node['data_root'] = str(world)
        for value in node.values():
            put_into(value, world)
    elif isinstance(node, (list, tuple)):
        for value in node:
            put_into(value, world)


def plain(path):
    """Load a config without weights to fetch, and with norms that one process has."""
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None

    def visit(node):
        if isinstance(node, dict):
            if node.get('type') == 'SyncBN':
                node['type'] = 'BN'
            for value in node.values():
                visit(value)

    visit(cfg.model)
    return cfg


def state_of_file(path, cfg):
    """Return the state of the backbone that a config is for."""
    if path.stem not in SOURCES:
        return WHOLE[cfg.model.backbone.depth]().state_dict()
    with DefaultScope.overwrite_default_scope('mmdet'):
        source = Config.fromfile(config_path(SOURCES[path.stem]))
        source.model.backbone.init_cfg = None
        return DETECTION.build(source.model.backbone).state_dict()


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_what_a_config_keeps_is_the_whole_backbone(path):
    """Of a ResNet's file all goes in; deformable stages add offsets, in no file."""
    cfg = plain(path)
    # Names and shapes are compared, not values; Swin needs values to be built.
    place = torch.device('cpu' if 'swin' in path.stem else 'meta')
    with place:
        model = MODELS.build(cfg.model)
    own = {k: v for k, v in model.state_dict().items() if k.startswith('backbone.')}
    hooks = [hook.type for hook in cfg.custom_hooks]
    if 'scratch' in path.stem or '40i' in path.stem:
        assert hooks == [] and cfg.load_from is None
        return
    assert hooks[0] == 'mmdetxfer.TransferHook'
    assert ('mmdetxfer.FreezeHook' in hooks) == ('frozen' in path.stem)
    with place:
        file_state = state_of_file(path, cfg)
    state = {f'backbone.{name}': value for name, value in file_state.items()}
    chosen = select(state, model.state_dict(), cfg.custom_hooks[0].keep, (), 'a file')
    assert not chosen.other_shape
    left = [name for name in own if name not in chosen.kept]
    if 'swin' in path.stem:
        # The detector's has norms behind its last two stages alone.
        assert {name.rpartition('.')[0] for name in left} == {
            'backbone.norm0',
            'backbone.norm1',
        }
        return
    assert all('conv_offset' in name for name in left)
    assert bool(left) == path.stem.startswith('deeplab_r101-dcn')


def test_offsets_of_four_groups_can_begin_anew_by_name():
    """As the header says: of one group, which the receipt lists as dropped."""
    cfg = plain(FOLDER / 'deeplab_r50-dcn_8xb1-30k_voc12aug.py')
    cfg.model.backbone.dcn.deform_groups = 1
    model = MODELS.build(cfg.model)
    with DefaultScope.overwrite_default_scope('mmdet'):
        source = Config.fromfile(config_path(SOURCES[cfg.filename.split('/')[-1][:-3]]))
        source.model.backbone.init_cfg = None
        file_state = DETECTION.build(source.model.backbone).state_dict()
    state = {f'backbone.{name}': value for name, value in file_state.items()}
    reinit = ['backbone.layer4.*.conv2.conv_offset']
    chosen = select(state, model.state_dict(), ['backbone'], reinit, 'a file')
    assert not chosen.other_shape
    # Weight and bias of three blocks.
    assert list(chosen.unused.values()) == ['dropped'] * 6
    assert all('conv_offset' in name for name in chosen.unused)
    without = select(state, model.state_dict(), ['backbone'], [], 'a file')
    assert len(without.other_shape) == 6


def test_the_papers_network_is_as_the_facts_say():
    """Stride 16; offsets of an undilated convolution, 0 at first; 1024, then 21."""
    cfg = plain(FOLDER / 'deeplab_r101-dcn_8xb1-30k_voc12aug.py')
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    offsets = model.backbone.layer4[1].conv2.conv_offset
    assert offsets.dilation == (1, 1) and offsets.out_channels == 18
    assert not offsets.weight.any() and not offsets.bias.any()
    assert [type(block.conv2).__name__ for block in model.backbone.layer4] == [
        'UndilatedOffsetDeformConv'
    ] * 3
    assert model.backbone.layer4[2].conv2.dilation == (2, 2)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)
    frozen = [p.requires_grad for p in model.backbone.layer1.parameters()]
    assert not any(frozen) and model.backbone.layer2[0].conv1.weight.requires_grad
    head = [p.shape for p in model.decode_head.parameters()]
    assert head == [
        torch.Size([21, 1024, 1, 1]),
        torch.Size([21]),
        torch.Size([1024, 2048, 1, 1]),
        torch.Size([1024]),
    ]
    with torch.no_grad():
        assert model.eval().backbone(torch.randn(1, 3, 64, 96))[3].shape[2:] == (4, 6)
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys == {
        'conv_offset.bias': dict(lr_mult=2)
    }


@pytest.mark.parametrize(
    'name',
    [
        'deeplab_r101-dcn_8xb1-30k_voc12aug',
        'deeplabv3plus_r50-d8_4xb4-20k_voc12aug',
        'upernet_swin-t_8xb2-20k_voc12aug',
        'deeplab_r18_1xb8-500i_world-voc',
        'deeplab_r50-dcn_1xb4-40i_world-voc',
    ],
)
def test_segmentors_train_a_step_on_voc_and_sbd(world, name):
    """Of a corner of each image, which takes seconds; offsets learn from the start.

    Without weights the last norm of a block is 0, and nothing would reach them.
    """
    cfg = plain(FOLDER / f'{name}.py')
    content = cfg.train_dataloader.dataset.to_dict()
    put_into(content, world)
    dataset = DATASETS.build(content)
    lists = world / 'ImageSets/Segmentation'
    assert len(dataset) == len((lists / 'trainaug.txt').read_text().split())
    model = MODELS.build(cfg.model)
    model.init_weights()
    for module in model.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    batch = [dataset[index] for index in (0, len(dataset) - 1)]
    for one in batch:
        one['inputs'] = one['inputs'][:, :64, :64]
        labels = one['data_samples'].gt_sem_seg.data[:, :64, :64]
        one['data_samples'].gt_sem_seg = PixelData(data=labels)
        one['data_samples'].set_metainfo(dict(img_shape=(64, 64)))
    if model.data_preprocessor.size is not None:
        model.data_preprocessor.size = (64, 64)
    data = dict(
        inputs=[one['inputs'] for one in batch],
        data_samples=[one['data_samples'] for one in batch],
    )
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total) and total > 0
    if 'dcn' in name:
        offsets = model.backbone.layer4[0].conv2.conv_offset
        assert offsets.weight.grad.any()


def test_labels_are_resized_where_scores_are_at_the_resized_size(world):
    """The shorter side is 360 where the longer one allows it; labels as predictions."""
    for name, is_resized in (('-dcn', False), ('-dcn-resized', True)):
        cfg = Config.fromfile(FOLDER / f'deeplab_r101{name}_8xb1-30k_voc12aug.py')
        content = cfg.test_dataloader.dataset.to_dict()
        put_into(content, world)
        item = DATASETS.build(content)[0]
        sample = item['data_samples']
        labels, seen = sample.gt_sem_seg.data.shape[-2:], item['inputs'].shape[-2:]
        assert (tuple(labels) == tuple(seen)) == is_resized
        assert tuple(sample.ori_shape) == tuple(labels)
        assert min(seen) == 360 or max(seen) == 600
