"""A disk that fills up during a training ends it with one line and loses nothing."""

import os
import subprocess
import sys
from pathlib import Path

from toy_runs import toy_config

from mmdetxfer.checkpoints.resumable import find_resumable
from mmdetxfer.text_files import TEMPORARY_SUFFIX

REPOSITORY = Path(__file__).parents[2]


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    """One file is to be kept; the second may not have the bytes it needs.

    The width makes a checkpoint of more than 100 kB; logs stay far below the limit.
    """
    cfg = toy_config(tmp_path / 'run')
    cfg.model.backbone.width = 3000
    checkpoint = dict(type='CheckpointHook', interval=1, max_keep_ckpts=1)
    cfg.default_hooks.checkpoint = checkpoint
    cfg.custom_hooks = [dict(type='ToyDiskThatFillsUp', limit=50_000)]
    cfg.custom_imports = dict(imports=['toy_runs'])
    cfg.dump(tmp_path / 'toy.py')
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parent)}
    ended = subprocess.run(
        [sys.executable, REPOSITORY / 'tools' / 'train.py', tmp_path / 'toy.py'],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1, ended.stderr
    (line,) = [x for x in ended.stderr.splitlines() if x.startswith('error')]
    assert 'epoch_2.pth could not be written' in line and 'free space' in line
    assert 'Traceback' not in ended.stderr
    found = find_resumable(tmp_path / 'run')
    assert found.path.name == 'epoch_1.pth' and found.passed_over == ()
    assert found.path.stat().st_size > 100_000
    assert not list((tmp_path / 'run').glob(f'*{TEMPORARY_SUFFIX}'))
