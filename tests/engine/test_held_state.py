"""What the hosts' parts remember outside their weights comes back on resume."""

from pathlib import Path
from types import SimpleNamespace

import mmdet
import pytest
import torch
from mmdet.registry import MODELS as DET_MODELS
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook
from mmengine.registry import DefaultScope
from torch import nn
from toy_training import assert_same_training, detector_config, make_data, train

from mmdetxfer.engine.held_state import held_state, set_held_state

CONFIGS = Path(mmdet.__file__).parent / '.mim/configs'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('data') / 'coco')


def resizing(data, folder):
    """Batches change their size every 3 iterations; saved at 4, 8, ..., 12."""
    cfg = detector_config(data, folder, by_epoch=False)
    cfg.model.data_preprocessor.batch_augments = [
        dict(
            type='BatchSyncRandomResize',
            random_size_range=(96, 128),
            size_divisor=32,
            interval=3,
        )
    ]
    cfg.randomness, cfg.train_cfg.max_iters = dict(seed=1), 12
    return cfg


def test_a_size_drawn_before_the_kill_holds_after_it(data, tmp_path):
    """Killed after iteration 6, resumed at 4: iteration 5 has the size drawn at 3."""
    train(resizing(data, tmp_path / 'whole'))
    train(resizing(data, tmp_path / 'run'), kill=('train_iter', 6))
    train(resizing(data, tmp_path / 'run'), 'auto')
    assert_same_training(tmp_path / 'run', tmp_path / 'whole', 'iter_12.pth')
    saved = torch.load(tmp_path / 'whole/iter_4.pth', weights_only=True)
    (held,) = saved['mmdetxfer_progress']['ranks'][0]['held_state'].values()
    assert tuple(held['_input_size']) in [(96, 96), (128, 128)]


def dynamic_roi_head():
    """Return mmdet's own, and its first moments of training."""
    name = 'dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py'
    model = Config.fromfile(CONFIGS / name).model
    head = dict(**model.roi_head, train_cfg=model.train_cfg.rcnn, test_cfg=None)
    return DET_MODELS.build(head)


def runner_with(resize, block, roi_head, stopping):
    model = nn.ModuleDict(dict(resize=resize, block=block, roi_head=roi_head))
    return SimpleNamespace(model=model, hooks=[stopping])


def parts():
    resize = dict(type='BatchSyncRandomResize', random_size_range=(32, 64))
    with DefaultScope.overwrite_default_scope('mmdet'):
        return [
            DET_MODELS.build(resize),
            DET_MODELS.build(dict(type='DropBlock', drop_prob=0.1, block_size=3)),
            dynamic_roi_head(),
            EarlyStoppingHook(monitor='mAP', rule='greater'),
        ]


def test_every_part_is_put_back_where_it_was():
    then = parts()
    resize, block, roi_head, stopping = then
    resize._input_size, block.iter_cnt = (96, 32), 7
    roi_head.iou_history, roi_head.beta_history = [0.4, 0.5], [0.1]
    roi_head.bbox_assigner.pos_iou_thr = roi_head.bbox_assigner.neg_iou_thr = 0.6
    roi_head.bbox_assigner.min_pos_iou, roi_head.bbox_head.loss_bbox.beta = 0.55, 0.2
    stopping.wait_count, stopping.best_score = 3, 0.7
    state = held_state(runner_with(*then))

    now = parts()
    set_held_state(runner_with(*now), state)
    assert now[0]._input_size == (96, 32) and now[1].iter_cnt == 7
    assert (now[2].iou_history, now[2].beta_history) == ([0.4, 0.5], [0.1])
    assigner = now[2].bbox_assigner
    thresholds = (assigner.pos_iou_thr, assigner.neg_iou_thr, assigner.min_pos_iou)
    assert thresholds == (0.6, 0.6, 0.55)
    assert now[2].bbox_head.loss_bbox.beta == 0.2
    assert (now[3].wait_count, now[3].best_score) == (3, 0.7)
    untouched = runner_with(*parts())
    set_held_state(untouched, {})
    assert held_state(untouched) == held_state(runner_with(*parts()))


def test_a_subclass_and_a_wrapped_model_are_found():
    class MyStopping(EarlyStoppingHook):
        pass

    wrapped = nn.Module()
    wrapped.module = nn.ModuleDict(dict(block=parts()[1]))
    runner = SimpleNamespace(model=wrapped, hooks=[MyStopping(monitor='mAP')])
    assert set(held_state(runner)) == {'model.block', 'hooks.MyStopping'}
