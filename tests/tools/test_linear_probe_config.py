"""The config that probes a detector, through the tools."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from tool_runner import REPOSITORY

from mmdetxfer.worlds.classification_sets import write_caltech256
from mmdetxfer.worlds.imagenet_loc import write

CONFIG = 'sniper_r18-c4c5-probed_1xb16-4e_world-imagenet-loc.py'


@pytest.fixture
def child(here):
    """The config on little of both worlds, with few strengths and layers."""
    write_caltech256(here / 'caltech', {'all': 60}, 0)
    write(here / 'ILSVRC', {'train': 16, 'val': 4}, 0)
    text = (REPOSITORY / 'configs/transfer_cls' / CONFIG).read_text()
    for old, new in (
        ("'../sniper", f"'{REPOSITORY}/configs/sniper"),
        ('work_dirs/world_small/Caltech256', 'caltech'),
        ('num_train=20', f'num_train=4, lists_dir={str(here / "lists")!r}'),
    ):
        assert old in text
        text = text.replace(old, new)
    text += (
        "\ntrain_dataloader = dict(dataset=dict(dataset=dict(data_root='ILSVRC')))\n"
        "val_dataloader = dict(dataset=dict(data_root='ILSVRC'))\n"
        'train_cfg = dict(max_epochs=1, val_interval=1)\n'
        'test_evaluator.update(strengths=[1.0])\n'
        "custom_hooks[1].update(evaluator=dict(strengths=[1.0]), layers=['FC1'])\n"
    )
    path = here / 'probed.py'
    path.write_text(text)
    return path


def test_a_detectors_layers_are_scored_by_test(tools, here, child):
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(Config.fromfile(child).model)
        model.init_weights()
    convention = dict(channel_order='bgr', mean=[10.0] * 3, std=[1.0] * 3)
    meta = dict(input_convention=dict(convention, value_range=255))
    content = dict(state_dict=model.state_dict(), meta=meta)
    torch.save(content, here / 'weights.pth')
    printed = tools('test.py', child, 'weights.pth', cwd=here).printed
    for layer in ('Conv2_1x1', 'Conv5_4x4', 'ConvProj_2x2', 'FC1', 'FC2'):
        assert f'probe/{layer}_top1: ' in printed
    out = ('--out', 'x.npz')
    ended = tools('test.py', child, 'weights.pth', *out, cwd=here, fails=True)
    assert 'LinearProbeLoop scores features alone; leave it out' in ended.printed


def test_a_detector_is_probed_while_it_trains(tools, here, child):
    printed = tools('train.py', child, '--work-dir', 'out', cwd=here).printed
    assert 'linear probe, epoch 1: FC1_top1 0.' in printed
    (scalars,) = (here / 'out').rglob('scalars.json')
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    (row,) = [one for one in rows if 'probe/FC1_top1' in one]
    assert row['probe/FC1_strength'] == 1.0 and row['step'] == 1
