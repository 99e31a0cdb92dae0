"""mmdet's own entries for users, with the safe reader behind them."""

import mmengine.runner.checkpoint as host
import pytest
import torch
from host_configs import host_config
from hostile_files import by_os_system, config_text
from mmdet.apis import DetInferencer, init_detector
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

from mmdetxfer.checkpoints.loading_schemes import install_safe_loading
from mmdetxfer.errors import CheckpointError


@pytest.fixture(scope='module')
def config():
    """A detector of toy size with what the inferencer looks for."""
    register_all_modules()
    cfg = host_config('mmdet', '_base_/models/retinanet_r50_fpn.py')
    small = dict(depth=18, base_channels=4, init_cfg=None, frozen_stages=-1)
    cfg.model.backbone.update(small)
    cfg.model.neck.update(in_channels=[4, 8, 16, 32], out_channels=8)
    head = dict(num_classes=2, in_channels=8, feat_channels=8, stacked_convs=1)
    cfg.model.bbox_head.update(head)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(64, 64), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]
    cfg.test_dataloader = dict(dataset=dict(type='CocoDataset', pipeline=pipeline))
    cfg.visualizer = dict(type='DetLocalVisualizer', name='toy')
    return cfg


@pytest.fixture
def content(config):
    weights = MODELS.build(config.model).state_dict()
    meta = {'dataset_meta': {'classes': ('a', 'b')}}
    return {'state_dict': weights, 'meta': meta, 'message_hub': {'runtime_info': {}}}


def by_init_detector(config, path):
    return init_detector(config.copy(), str(path), palette='random', device='cpu')


def by_inferencer(config, path):
    made = DetInferencer(config.copy(), str(path), device='cpu', palette='random')
    return made.model


ENTRIES = [by_init_detector, by_inferencer]


@pytest.mark.parametrize('entry', ENTRIES)
def test_a_hostile_pickle_is_refused_at(entry, config, content, marker, tmp_path):
    install_safe_loading()
    content['meta']['time'] = by_os_system(marker)
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='posix.system'):
        entry(config, tmp_path / 'x.pth')
    assert not marker.exists()


@pytest.mark.parametrize('entry', ENTRIES)
def test_a_good_file_with_a_hostile_text_gives_its_weights_only(
    entry, config, content, marker, tmp_path
):
    install_safe_loading()
    content['meta'].update(cfg=config_text(marker), config=config_text(marker))
    content['message_hub']['runtime_info']['cfg'] = config_text(marker)
    torch.save(content, tmp_path / 'x.pth')
    model = entry(config, tmp_path / 'x.pth')
    assert not marker.exists()
    found = model.state_dict()['backbone.conv1.weight']
    assert torch.equal(found, content['state_dict']['backbone.conv1.weight'])


def test_an_inferencer_without_a_config_does_not_execute_the_files(
    content, marker, tmp_path
):
    """mmengine's inferencer takes the config out of the checkpoint and runs it."""
    content['message_hub']['runtime_info']['cfg'] = config_text(marker)
    torch.save(content, tmp_path / 'x.pth')
    install_safe_loading()
    with pytest.raises(ValueError, match='Cannot find the config in the checkpoint'):
        DetInferencer(weights=str(tmp_path / 'x.pth'), device='cpu', scope='mmdet')
    assert not marker.exists()
    host.CheckpointLoader.register_scheme('', host.load_from_local, force=True)
    try:
        with pytest.raises(Exception, match='.'):
            DetInferencer(weights=str(tmp_path / 'x.pth'), device='cpu', scope='mmdet')
    finally:
        install_safe_loading()
    assert marker.exists(), 'without the reader the text has to run'
