"""A training of toy size in which everything is random that can be: for resume tests.

A detector with dropout and batch norm, random flips and photometric augmentation in two
persistent workers, accumulated gradients that run over the end of the epoch, a warm-up
and an averaged model. Each training runs in processes of its own and is killed there by
a real SIGKILL. They are forked from a server that has imported the host already, once.
"""

import contextlib
import json
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import socket
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.utils import register_all_modules as register_detection
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS
from mmpretrain.utils import register_all_modules as register_classification
from mmseg.utils import register_all_modules as register_segmentation
from torch import nn

NUM_IMAGES = 22
BATCH = 2
BATCHES_PER_EPOCH = 11


for register in (register_detection, register_segmentation, register_classification):
    register(init_default_scope=False)


@MODELS.register_module(force=True)
class ToyBackbone(nn.Module):
    """Two strided convolutions with batch norm and dropout, one map at stride 8."""

    def __init__(self, init_cfg=None):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4, padding=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.ReLU(),
        )

    def forward(self, images):
        return (self.body(images),)


@HOOKS.register_module(force=True)
class LossTrace(Hook):
    """Writes each iteration's losses, every bit of them, to a file a rank."""

    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        losses = {k: float(v.detach()).hex() for k, v in outputs.items() if 'loss' in k}
        if 'data_samples' in (data_batch or {}):
            losses['images'] = [s.img_path[-8:] for s in data_batch['data_samples']]
        path = Path(runner.work_dir) / f'trace_{runner.rank}.jsonl'
        with open(path, 'a') as stream:
            stream.write(json.dumps({'iter': runner.iter, **losses}) + '\n')


@HOOKS.register_module(force=True)
class KillAt(Hook):
    """Kills the process when an event has happened ``count`` times."""

    priority = 'LOWEST'

    def __init__(self, event, count):
        self.event, self.left = event, count

    def _happened(self, event):
        if event == self.event:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def after_train_iter(self, runner, *args, **kwargs):
        self._happened('train_iter')

    def after_train_epoch(self, runner):
        self._happened('train_epoch')

    def after_val_iter(self, runner, *args, **kwargs):
        self._happened('val_iter')

    def before_save_checkpoint(self, runner, checkpoint):
        self._happened('save')


def make_data(folder: Path) -> Path:
    """Write 22 random images of 64 px with one or two boxes each, in COCO's format."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(NUM_IMAGES):
        pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        for _ in range(1 + index % 2):
            x, y, side = (int(v) for v in rng.integers(8, 30, 3))
            pixels[y : y + side, x : x + side] = rng.integers(0, 255, 3)
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=index + 1,
                    category_id=1 + index % 2,
                    bbox=[x, y, side, side],
                    area=side * side,
                    iscrowd=0,
                )
            )
        name = f'{index:04d}.png'
        cv2.imwrite(str(folder / name), pixels)
        images.append(dict(id=index + 1, file_name=name, width=64, height=64))
    categories = [dict(id=1, name='a'), dict(id=2, name='b')]
    content = dict(images=images, annotations=annotations, categories=categories)
    (folder / 'all.json').write_text(json.dumps(content))
    return folder


def detector_config(
    data: Path, work_dir: Path, by_epoch: bool = True, num_workers: int = 2
) -> Config:
    """Return the config of the toy detector, two epochs (or 22 iterations) long."""
    dataset = dict(
        type='CocoDataset',
        data_root=str(data),
        ann_file='all.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=('a', 'b')),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='Resize', scale=(64, 64), keep_ratio=False),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackDetInputs'),
        ],
    )
    persistent = dict(num_workers=num_workers, persistent_workers=num_workers > 0)
    sampler = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
    every = dict(max_epochs=2) if by_epoch else dict(max_iters=22)
    loop = 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'
    return Config(
        dict(
            default_scope='mmdet',
            work_dir=str(work_dir),
            experiment_name=work_dir.name,
            launcher='none',
            model=dict(
                type='SingleStageDetector',
                data_preprocessor=dict(
                    type='DetDataPreprocessor', mean=[127.0] * 3, std=[64.0] * 3
                ),
                backbone=dict(type='ToyBackbone'),
                bbox_head=dict(
                    type='RetinaHead',
                    num_classes=2,
                    in_channels=8,
                    feat_channels=8,
                    stacked_convs=1,
                    anchor_generator=dict(
                        type='AnchorGenerator', ratios=[1.0], scales=[2, 3], strides=[8]
                    ),
                    loss_bbox=dict(type='L1Loss'),
                ),
                train_cfg=dict(
                    assigner=dict(
                        type='MaxIoUAssigner',
                        pos_iou_thr=0.5,
                        neg_iou_thr=0.4,
                        min_pos_iou=0,
                    ),
                    sampler=dict(type='PseudoSampler'),
                    allowed_border=-1,
                    pos_weight=-1,
                ),
                test_cfg=dict(
                    nms_pre=50,
                    min_bbox_size=0,
                    score_thr=0.0,
                    nms=dict(type='nms', iou_threshold=0.5),
                    max_per_img=20,
                ),
            ),
            train_dataloader=dict(
                batch_size=BATCH,
                sampler=dict(type=sampler, shuffle=True),
                dataset=dataset,
                **persistent,
            ),
            val_dataloader=dict(
                batch_size=1,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset={**dataset, 'test_mode': True},
                **persistent,
            ),
            val_evaluator=dict(
                type='CocoMetric', ann_file=str(data / 'all.json'), metric='bbox'
            ),
            train_cfg=dict(type=loop, val_interval=1 if by_epoch else 8, **every),
            val_cfg=dict(type='ValLoop'),
            optim_wrapper=dict(
                type='OptimWrapper',
                accumulative_counts=2,
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9),
            ),
            param_scheduler=[
                dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=15)
            ],
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook',
                    by_epoch=by_epoch,
                    interval=1 if by_epoch else 4,
                    save_best='auto',
                ),
            ),
            custom_hooks=[
                dict(type='EMAHook', momentum=0.1),
                dict(type='LossTrace'),
            ],
            env_cfg=dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0)),
            log_level='WARNING',
        )
    )


def train(
    cfg: Config,
    resume: str | None = None,
    kill: tuple | None = None,
    num_ranks: int = 1,
) -> str:
    """Train in new processes; return what they printed.

    Args:
        cfg: The config.
        resume: As for ``--resume``.
        kill: (event, count) of :class:`KillAt`, or None; the training must then die of
            it, and otherwise end well.
        num_ranks: Processes, joined over gloo if there are several.
    """
    if kill is not None:
        cfg.custom_hooks.append(dict(type='KillAt', event=kill[0], count=kill[1]))
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    server = server_with_imports()
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    logs = [Path(cfg.work_dir) / f'printed_{rank}.txt' for rank in range(num_ranks)]
    ranks = [
        server.Process(
            target=_train_here, args=(cfg.to_dict(), resume, rank, num_ranks, port, log)
        )
        for rank, log in enumerate(logs)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(timeout=240)
    printed = logs[0].read_text()
    codes = [rank.exitcode for rank in ranks]
    assert (codes[0] == 0) == (kill is None), f'{codes}: {printed[-3000:]}'
    if kill is not None:
        assert -signal.SIGKILL in codes, f'{codes}: {printed[-3000:]}'
    return printed


def server_with_imports():
    """Return the server of forks; when it starts, it imports ``toy_server`` first.

    Python 3.11 looks for that in PYTHONPATH: it does not hand its own path on.
    """
    server = multiprocessing.get_context('forkserver')
    server.set_forkserver_preload(['toy_server'])
    before = os.environ.get('PYTHONPATH')
    folder = Path(__file__).parent
    found = [str(folder), str(folder.parent), *filter(None, [before])]
    os.environ['PYTHONPATH'] = os.pathsep.join(found)
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        del os.environ['PYTHONPATH']
        if before is not None:
            os.environ['PYTHONPATH'] = before
    return server


def _train_here(cfg, resume, rank, num_ranks, port, log):
    """Train in this process, as one of the ranks."""
    from mmdetxfer.engine import ExactRunner
    from mmdetxfer.engine.resuming import settle_resume

    # Else each training would import the hosts.
    assert 'toy_server' in sys.modules
    torch.set_num_threads(1)
    cfg = Config(cfg)
    if num_ranks > 1:
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(num_ranks),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
        cfg.launcher = 'pytorch'
    with open(log, 'w', buffering=1) as stream, contextlib.redirect_stdout(stream):
        with contextlib.redirect_stderr(stream):
            print(settle_resume(cfg, resume))
            ExactRunner.from_cfg(cfg).train()


def trace(work_dir: Path, rank: int = 0) -> dict:
    """Return the losses of each iteration; of a repeated one, the last."""
    lines = (work_dir / f'trace_{rank}.jsonl').read_text().splitlines()
    return {row['iter']: row for row in map(json.loads, lines)}


def weights(path: Path) -> dict:
    """Return every tensor of a checkpoint that decides the training, by name."""
    checkpoint = torch.load(path, weights_only=True)
    parts = [checkpoint[k] for k in ('state_dict', 'ema_state_dict') if k in checkpoint]
    found = {f'{i}.{k}': v for i, part in enumerate(parts) for k, v in part.items()}
    for index, state in checkpoint['optimizer']['state'].items():
        found[f'momentum.{index}'] = state['momentum_buffer']
    return found


def assert_same_training(killed: Path, whole: Path, last: str) -> None:
    """Compare losses, images and all tensors, bit for bit."""
    assert trace(killed) == trace(whole)
    mine, theirs = weights(killed / last), weights(whole / last)
    assert mine.keys() == theirs.keys()
    different = [key for key in mine if not torch.equal(mine[key], theirs[key])]
    assert not different
