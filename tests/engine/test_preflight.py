"""What cannot work is refused in one line before anything is built."""

import pytest
import torch
from mmengine.config import Config

from mmdetxfer.engine.preflight import check_before_building
from mmdetxfer.errors import UserError


@pytest.fixture
def cfg(tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'list.txt').write_text('')
    dataset = dict(data_root=str(tmp_path / 'data'), ann_file='list.txt')
    return Config(
        dict(
            work_dir=str(tmp_path / 'work'),
            train_dataloader=dict(dataset=dataset),
            test_dataloader=dict(dataset=dataset),
            optim_wrapper=dict(type='OptimWrapper'),
            model=dict(backbone=dict(norm_cfg=dict(type='BN'))),
            launcher='none',
        )
    )


def test_a_config_that_can_run_is_let_through(cfg):
    check_before_building(cfg, 'train')
    check_before_building(cfg, 'test')


def test_an_unwritable_work_dir_is_refused(cfg, tmp_path):
    """Below a file no folder can be made, not even by root."""
    (tmp_path / 'file').touch()
    cfg.work_dir = str(tmp_path / 'file' / 'work')
    with pytest.raises(UserError, match='cannot be written.*--work-dir'):
        check_before_building(cfg, 'train')


@pytest.mark.parametrize('wrap', ['plain', 'repeated', 'joined'])
def test_a_missing_data_root_is_named_inside_wrappers_too(cfg, wrap):
    missing = dict(data_root='/nowhere/VOC', ann_file='list.txt')
    wrapped = {
        'plain': missing,
        'repeated': dict(type='RepeatDataset', times=3, dataset=missing),
        'joined': dict(
            type='ConcatDataset',
            datasets=[cfg.train_dataloader.dataset.to_dict(), missing],
        ),
    }
    cfg.train_dataloader.dataset = wrapped[wrap]
    with pytest.raises(
        UserError, match='train data: expected a folder at data_root /n'
    ):
        check_before_building(cfg, 'train')
    check_before_building(cfg, 'test')


def test_a_missing_annotation_file_is_named(cfg):
    cfg.test_dataloader.dataset.ann_file = 'other.json'
    with pytest.raises(UserError, match=r'annotation file .*/data/other\.json'):
        check_before_building(cfg, 'test')


def test_data_behind_a_file_client_is_not_looked_for(cfg):
    cfg.train_dataloader.dataset.data_root = 's3://bucket/VOC'
    check_before_building(cfg, 'train')
    cfg.train_dataloader.dataset.data_root = '/nowhere'
    cfg.train_dataloader.dataset.backend_args = dict(backend='petrel')
    check_before_building(cfg, 'train')


def test_a_config_without_the_data_for_its_purpose_is_refused(cfg):
    cfg.pop('test_dataloader')
    with pytest.raises(UserError, match='no test_dataloader: it cannot test'):
        check_before_building(cfg, 'test')
    cfg.pop('train_dataloader')
    with pytest.raises(UserError, match='no train_dataloader: it cannot train'):
        check_before_building(cfg, 'train')


def test_mixed_precision_without_a_gpu_is_refused(cfg, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    with pytest.raises(UserError, match='needs a GPU'):
        check_before_building(cfg, 'train')
    # A test needs no optimizer.
    check_before_building(cfg, 'test')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    check_before_building(cfg, 'train')


@pytest.mark.parametrize('where', ['model', 'list', 'sync_bn'])
def test_synchronised_norms_on_cpu_ranks_are_refused_with_their_place(
    cfg, monkeypatch, where
):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    if where == 'model':
        cfg.model.backbone.norm_cfg.type = 'SyncBN'
    elif where == 'list':
        cfg.model.heads = [dict(norm_cfg=dict(type='mmcv.SyncBN'))]
    else:
        cfg.sync_bn = 'torch'
    # One process is fine: mmengine turns SyncBN into BN there.
    check_before_building(cfg, 'train')
    cfg.launcher = 'pytorch'
    places = dict(
        model=r'model\.backbone\.norm_cfg', list=r'heads\[0\]', sync_bn='sync_bn'
    )
    with pytest.raises(UserError, match=f'{places[where]}.* asks for SyncBN'):
        check_before_building(cfg, 'train')


def test_a_data_set_that_fetches_itself_need_not_be_there(cfg):
    cfg.train_dataloader.dataset = dict(type='CIFAR10', data_root='data/absent')
    check_before_building(cfg, 'train')
    cfg.train_dataloader.dataset.download = False
    with pytest.raises(UserError, match='data_root data/absent'):
        check_before_building(cfg, 'train')


def test_frozen_layers_without_weights_are_refused(cfg):
    cfg.model.backbone = dict(type='Vig', frozen_stages=0)
    check_before_building(cfg, 'train')
    cfg.model.backbone = dict(type='mmdet.ResNet', frozen_stages=0)
    message = 'its frozen_stages=0 would keep weights that are drawn at random'
    for init in (None, dict(type='Kaiming')):
        cfg.model.backbone.init_cfg = init
        with pytest.raises(UserError, match=message):
            check_before_building(cfg, 'train')
    check_before_building(cfg, 'test')
    for init in (dict(type='Pretrained'), [dict(type='mmdet.PretrainedInit')]):
        cfg.model.backbone.init_cfg = init
        check_before_building(cfg, 'train')
    cfg.model.backbone.init_cfg = None
    cfg.load_from = 'weights.pth'
    check_before_building(cfg, 'train')
    cfg.load_from = None
    cfg.model.backbone.frozen_stages = -1
    check_before_building(cfg, 'train')


def test_deformable_convolutions_in_basic_blocks_are_refused(cfg):
    cfg.model.backbone = dict(depth=18, dcn=dict(type='DCN'))
    with pytest.raises(UserError, match='expected bottleneck blocks .* got depth 18'):
        check_before_building(cfg, 'train')
    cfg.model.backbone.depth = 50
    check_before_building(cfg, 'train')
