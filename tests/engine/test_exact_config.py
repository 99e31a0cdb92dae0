"""The exact parts replace mmengine's own, and nothing else, in any host's config."""

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmdetxfer.engine.exact_config import inexact_parts, plain_name, use_exact_parts

GUARDS = ('NonfiniteLossHook', 'UnreadableImagesHook')


@pytest.mark.parametrize(
    ('train_cfg', 'wanted'),
    [
        (dict(type='EpochBasedTrainLoop', max_epochs=3), 'ExactEpochTrainLoop'),
        (dict(type='mmengine.IterBasedTrainLoop', max_iters=3), 'ExactIterTrainLoop'),
        (dict(by_epoch=True, max_epochs=3), 'ExactEpochTrainLoop'),
        (dict(by_epoch=False, max_iters=3), 'ExactIterTrainLoop'),
    ],
)
def test_mmengines_loops_are_replaced_with_their_arguments(train_cfg, wanted):
    cfg = Config(dict(train_cfg=train_cfg))
    exact = use_exact_parts(cfg).train_cfg
    length = {k: v for k, v in train_cfg.items() if k.startswith('max_')}
    assert exact == dict(type=f'mmdetxfer.{wanted}', **length)
    assert cfg.train_cfg == train_cfg
    assert inexact_parts(cfg) == []


def test_a_loop_of_another_type_stays_and_is_named():
    cfg = Config(dict(train_cfg=dict(type='mmdet.TeacherLoop', max_epochs=1)))
    assert use_exact_parts(cfg).train_cfg.type == 'mmdet.TeacherLoop'
    assert inexact_parts(cfg) == ['TeacherLoop']
    assert inexact_parts(Config(dict(test_cfg=dict()))) == []


def test_transforms_that_remember_images_are_named_wherever_they_stand():
    mosaic = dict(type='mmdet.CachedMosaic', img_scale=(64, 64))
    inner = dict(type='CocoDataset', pipeline=[dict(type='RandomFlip'), mosaic])
    loader = dict(dataset=dict(type='RepeatDataset', dataset=inner))
    cfg = Config(
        dict(train_dataloader=loader, train_cfg=dict(type='mmdet.TeacherLoop'))
    )
    assert inexact_parts(cfg) == ['TeacherLoop', 'CachedMosaic']


def test_every_checkpoint_hook_is_replaced_and_a_missing_one_added():
    hooks = dict(
        default_hooks=dict(checkpoint=dict(type=CheckpointHook, interval=5)),
        custom_hooks=[dict(type='mmengine.CheckpointHook'), dict(type='EMAHook')],
    )
    exact = use_exact_parts(Config(hooks))
    safe = 'mmdetxfer.SafeCheckpointHook'
    assert exact.default_hooks.checkpoint == dict(type=safe, interval=5)
    assert [hook.type for hook in exact.custom_hooks[:2]] == [safe, 'EMAHook']
    added = use_exact_parts(Config(dict())).default_hooks.checkpoint
    assert added == dict(type=safe, interval=1)
    assert exact.default_hooks.logger.type == 'mmdetxfer.OneWriterLoggerHook'


def test_the_guards_are_added_to_every_training_once():
    mine = dict(type='mmdetxfer.ClassCheckHook', seconds=9.0)
    exact = use_exact_parts(Config(dict(custom_hooks=[mine])))
    others = [dict(type=f'mmdetxfer.{name}') for name in GUARDS]
    assert exact.custom_hooks == [mine, *others]
    assert use_exact_parts(exact).custom_hooks == exact.custom_hooks


def test_names_lose_their_scope():
    assert plain_name('mmengine.EMAHook') == plain_name('EMAHook') == 'EMAHook'
    assert plain_name(CheckpointHook) == 'CheckpointHook'
