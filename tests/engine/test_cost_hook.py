"""Multiply-adds of a training by hand, and kept when it is resumed."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / 'checkpoints'))

from toy_runs import toy_config  # noqa: E402

from mmdetxfer.engine import ExactRunner  # noqa: E402


def trained(cfg):
    ExactRunner.from_cfg(cfg).train()
    return json.loads((Path(cfg.work_dir) / 'cost.json').read_text())


@pytest.fixture
def cfg(tmp_path):
    return toy_config(tmp_path / 'run', custom_hooks=[dict(type='mmdetxfer.CostHook')])


def test_forward_and_backward_are_counted(cfg):
    """One image of 4x4 through a 1x1 convolution of 3 to 3, and a 3 to 3 layer.

    Forward 16 * 9 and 9; backward the convolution's weights 16 * 9 (no gradient of the
    image), the layer's weights 9 and input 9: 315. Two epochs of three images: 6 times.
    """
    found = trained(cfg)
    assert found['multiply_adds_per_iteration'] == 16 * 9 * 2 + 9 * 3 == 315
    assert found['iterations'] == 6 and found['multiply_adds'] == 315 * 6
    assert found['not_counted'] == []


def test_a_resumed_training_leaves_the_count_as_it_is(cfg):
    trained(cfg)
    path = Path(cfg.work_dir) / 'cost.json'
    path.write_text('{"kept": 1}')
    cfg.resume = True
    cfg.train_cfg.max_epochs = 3
    assert trained(cfg) == {'kept': 1}
