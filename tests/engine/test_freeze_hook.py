"""Frozen parts: no gradients, no statistics, no dropout, also on several ranks."""

import pytest
import torch
from toy_images import logged, make_images, toy_config, train
from toy_parts import NAMES, ToyDetector
from toy_training import detector_config, make_data
from toy_training import train as train_in_processes

from mmdetxfer.engine import ExactRunner
from mmdetxfer.engine.freeze_hook import frozen_by_config
from mmdetxfer.errors import UserError


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp('images'), NAMES)


def config(images, folder, parts):
    cfg = toy_config(folder, images, NAMES)
    cfg.model = dict(type='ToyDetector')
    cfg.custom_hooks = [dict(type='mmdetxfer.FreezeHook', parts=parts)]
    return cfg


def moved(state, other):
    return {name for name in state if not torch.equal(state[name], other[name])}


def test_weights_and_statistics_stay_and_the_rest_learns(images, tmp_path):
    torch.manual_seed(0)
    cfg = config(images, tmp_path, ['backbone', 'head.fc_reg'])
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    cfg.train_cfg.max_epochs = 2
    train(cfg)
    states = [
        torch.load(tmp_path / f'epoch_{k}.pth', weights_only=True)['state_dict']
        for k in (1, 2)
    ]
    assert moved(*states) == {
        f'{part}.{kind}'
        for part in ('neck', 'head.fc_cls')
        for kind in ('weight', 'bias')
    }
    # 1 x 4 + 4, 8, 4 x 4 + 4 and 8 of the backbone, 4 x 2 + 2 of the head.
    assert logged(tmp_path, 'frozen: backbone, head.fc_reg (54 weights)')


def test_in_a_test_nothing_is_frozen_nor_looked_for(images, tmp_path):
    """Test-time augmentation wraps the model: its parts have other names there."""
    cfg = config(images, tmp_path, ['backbone'])
    loader = cfg.train_dataloader.to_dict()
    cfg.test_dataloader = dict(
        loader, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    cfg.test_evaluator, cfg.test_cfg = dict(type='NoMetric'), dict(type='TestLoop')
    cfg.custom_hooks[0]['parts'] = ['module.backbone']
    runner = ExactRunner.from_cfg(cfg)
    runner.test()
    assert all(parameter.requires_grad for parameter in runner.model.parameters())


@pytest.mark.parametrize(
    'parts, message',
    [
        (['bakbone'], r"the model \(.*backbone, neck, head\), got 'bakbone'"),
        (['backbone', 'neck', 'head'], 'nothing is left to train without backbone, n'),
        ([], r'expected a list of parts, got \[\]'),
        ('backbone', "expected a list of parts, got 'backbone'"),
    ],
)
def test_what_cannot_be_frozen_is_an_error(images, tmp_path, parts, message):
    with pytest.raises(UserError, match=message):
        train(config(images, tmp_path, parts))


def test_the_uppermost_parts_without_gradients_are_named():
    model = ToyDetector()
    for part in (model.backbone[0], model.backbone[1], model.neck):
        part.requires_grad_(False)
    assert frozen_by_config(model) == ['backbone.0', 'backbone.1', 'neck']
    model.backbone.requires_grad_(False)
    assert frozen_by_config(model) == ['backbone', 'neck']


def test_two_ranks_go_on_behind_the_second_iteration_with_equal_weights(tmp_path):
    """DDP waits for gradients that it was told of when it was made."""
    data = make_data(tmp_path / 'data')
    cfg = detector_config(data, tmp_path / 'run', num_workers=0)
    cfg.custom_hooks = [dict(type='mmdetxfer.FreezeHook', parts=['backbone'])]
    train_in_processes(cfg, num_ranks=2)
    states = [
        torch.load(tmp_path / 'run' / f'epoch_{k}.pth', weights_only=True)
        for k in (1, 2)
    ]
    changed = moved(*(one['state_dict'] for one in states))
    assert changed and all(name.startswith('bbox_head.') for name in changed)
