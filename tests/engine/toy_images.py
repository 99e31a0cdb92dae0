"""A training of toy size on image files, for the guards: no host is imported.

Each image is one colour, which a model of one weight sums. A file may be missing or
damaged; the loss of a batch with an image whose name says 'nan' is no number.
"""

import contextlib
import json
import os
from pathlib import Path

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import (
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    TRANSFORMS,
)
from mmengine.structures import BaseDataElement

from mmdetxfer.engine import ExactRunner
from mmdetxfer.engine.resuming import settle_resume
from mmdetxfer.errors import UserError


@DATASETS.register_module(force=True)
class FilesDataset(BaseDataset):
    """The files named by ``ann_file``, each with label 0."""

    METAINFO = dict(classes=('thing',))

    def load_data_list(self):
        folder = self.data_prefix['img']
        names = self.ann_file.split()
        return [dict(img_path=f'{folder}/{name}.jpg', gt_label=0) for name in names]

    def get_cat_ids(self, index):
        return [0]


@TRANSFORMS.register_module(force=True)
class PackToy(BaseTransform):
    """The mean colour, with some noise, and the path."""

    def __init__(self, fails_at=None):
        self.fails_at = fails_at

    def transform(self, results):
        path = results['img_path']
        if self.fails_at is not None and self.fails_at in path:
            raise OSError(f'a defect behind the loader, at {path}')
        value = torch.tensor(results['img'].mean() / 255 + np.random.rand())
        sample = BaseDataElement(metainfo=dict(img_path=path, img_id=Path(path).stem))
        return dict(inputs=value.float()[None], data_samples=sample)


@MODELS.register_module(force=True)
class ToySum(BaseModel):
    """Its loss is the mean of the inputs times a weight."""

    def __init__(self, parses=True):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        if not parses:
            self.train_step = self.step_without_parsing

    def forward(self, inputs, data_samples=None, mode='loss'):
        # The main process draws too, as dropout does.
        inputs = torch.stack(inputs) * self.weight + torch.rand(1)
        if mode != 'loss':
            return data_samples
        is_nan = any('nan' in sample.img_path for sample in data_samples)
        factor = float('nan') if is_nan else 1.0
        return dict(loss_a=inputs.mean() * factor, loss_b=[inputs.sum(), inputs.max()])

    def step_without_parsing(self, data, optim_wrapper):
        losses = self(**self.data_preprocessor(data, True))
        optim_wrapper.update_params(losses['loss_a'])
        return dict(loss=losses['loss_a'])


@OPTIM_WRAPPERS.register_module(force=True)
class Overflowing(OptimWrapper):
    """As mixed precision where the scaled loss overflows: the step is left out."""

    def scale_loss(self, loss):
        return loss * float('inf')

    def step(self, **kwargs):
        pass


@METRICS.register_module(force=True)
class NoMetric(BaseMetric):
    """Any metric, for a validation to have one."""

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(images=len(results))


class Killed(BaseException):
    """Stands for a kill: no ``except Exception`` may stop it."""


@HOOKS.register_module(force=True)
class KilledAt(Hook):
    """Ends the training behind an iteration, counted from 1."""

    priority = 'LOWEST'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            raise Killed


@HOOKS.register_module(force=True)
class ImageTrace(Hook):
    """Writes each iteration's images and weight to a file a rank."""

    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        names = [sample.img_id for sample in data_batch['data_samples']]
        weight = weight_of(runner)
        path = Path(runner.work_dir) / f'images_{runner.rank}.jsonl'
        with open(path, 'a') as stream:
            row = dict(iter=runner.iter, images=names, weight=weight)
            stream.write(json.dumps(row) + '\n')


def make_images(folder: Path, names: str) -> Path:
    """Write the images of these names; those that begin with 'bad' are truncated."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names.split()):
        pixels = np.full((8, 8, 3), index, dtype=np.uint8)
        content = cv2.imencode('.jpg', pixels)[1].tobytes()
        content = content[:-3] if name.startswith('bad') else content
        (folder / f'{name}.jpg').write_bytes(content)
    return folder


def toy_config(work_dir: Path, images: Path, names: str, **train) -> Config:
    """Return a config that trains for one epoch of the named files, 2 at a time.

    Args:
        work_dir: The work folder.
        images: The folder of the files.
        names: Their names without ending.
        train: ``max_iters`` for an iteration loop; else of ``EpochBasedTrainLoop``.
    """
    loop = 'IterBasedTrainLoop' if 'max_iters' in train else 'EpochBasedTrainLoop'
    length = {} if 'max_iters' in train else dict(max_epochs=1)
    dataset = dict(
        type='FilesDataset',
        ann_file=names,
        data_prefix=dict(img=str(images)),
        pipeline=[dict(type='mmcv.LoadImageFromFile'), dict(type='PackToy')],
    )
    return Config(
        dict(
            default_scope='mmengine',
            work_dir=str(work_dir),
            experiment_name=str(work_dir).replace('/', '_'),
            launcher='none',
            model=dict(type='ToySum'),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dataset,
            ),
            train_cfg=dict(type=loop, **{**length, **train}),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            custom_hooks=[dict(type='ImageTrace')],
            env_cfg=dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0)),
            randomness=dict(seed=5),
        )
    )


def weight_of(runner) -> str:
    """Return every bit of the model's one weight."""
    return float(next(runner.model.parameters()).detach()).hex()


def train(cfg: Config, resume: str | None = None) -> ExactRunner:
    """Train as the tools do; return the runner."""
    settle_resume(cfg, resume)
    runner = ExactRunner.from_cfg(cfg)
    runner.train()
    return runner


def trace(work_dir: Path, rank: int = 0) -> list[dict]:
    """Return images and weight of each iteration; of a repeated one, the last."""
    rows = (work_dir / f'images_{rank}.jsonl').read_text().splitlines()
    by_iteration = {row['iter']: row for row in map(json.loads, rows)}
    return [by_iteration[key] for key in sorted(by_iteration)]


def logged(work_dir: Path, word: str) -> list[str]:
    """Return the lines of all logs of a work folder that hold a word."""
    logs = sorted(work_dir.glob('*/*.log'))
    lines = [line for log in logs for line in log.read_text().splitlines()]
    return [line.split(' - ', 3)[-1] for line in lines if word in line]


def train_as_rank(files: list[Path], environment: dict[str, str], log: Path) -> None:
    """Train one config after the other, as one of several ranks; write the errors."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    with open(log, 'w', buffering=1) as stream, contextlib.redirect_stdout(stream):
        with contextlib.redirect_stderr(stream):
            for file in files:
                try:
                    train(Config.fromfile(file))
                except UserError as error:
                    print(f'{Path(file).stem}: {error}', flush=True)
