"""A training of seconds with mmengine alone, for tests that need a real Runner.

The model tells the brightest channel: a 1x1 convolution, a mean over the pixels and a
linear head, on images of one colour. Its pixels come as the hosts' loaders give them:
BGR, 0..255, uint8.
"""

import itertools
import resource
from argparse import Namespace
from collections import defaultdict, deque

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel, BaseModule
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS
from torch import nn
from torch.utils.data import Dataset

COLOURS = ((200, 10, 20), (20, 210, 9), (7, 30, 190))
_run_numbers = itertools.count()


@MODELS.register_module(force=True)
class ToyColourBackbone(BaseModule):
    """A 1x1 convolution with batch norm."""

    def __init__(self, width=3, init_cfg=None):
        super().__init__(init_cfg)
        self.conv = nn.Conv2d(3, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, images):
        return self.norm(self.conv(images)).mean((2, 3))


@MODELS.register_module(force=True)
class ToyColourModel(BaseModel):
    """Classifies the mean colour of an image."""

    def __init__(self, backbone, data_preprocessor=None, num_classes=3, init_cfg=None):
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = nn.Linear(backbone.get('width', 3), num_classes)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        scores = self.head(self.backbone(inputs))
        if mode == 'loss':
            labels = torch.as_tensor(data_samples)
            return {'loss': nn.functional.cross_entropy(scores, labels)}
        return [{'scores': row} for row in scores] if mode == 'predict' else scores


@DATASETS.register_module(force=True)
class ToyColourDataset(Dataset):
    """Images of one colour, 4 px wide: ``colours`` are (R, G, B)."""

    def __init__(self, colours=COLOURS, labels=()):
        self.colours = colours
        self.labels = list(labels or range(len(colours)))
        self.metainfo = toy_metainfo()

    def __len__(self):
        return len(self.colours)

    def __getitem__(self, index):
        red, green, blue = self.colours[index]
        image = torch.tensor([blue, green, red], dtype=torch.uint8)
        sample = {'inputs': image.view(3, 1, 1).expand(3, 4, 4).contiguous()}
        return {**sample, 'data_samples': self.labels[index]}


@METRICS.register_module(force=True)
class ToyAccuracy(BaseMetric):
    """The share of images named right, as a numpy scalar (stock files hold those)."""

    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        for sample, label in zip(data_samples, data_batch['data_samples'], strict=True):
            self.results.append(int(sample['scores'].argmax()) == int(label))

    def compute_metrics(self, results):
        return {'accuracy': np.float32(np.mean(results))}


def toy_metainfo() -> dict:
    """Return what data sets put into a checkpoint's meta, of every awkward type."""
    by_name = defaultdict(list)
    by_name['red'].append(0)
    return {
        'classes': ('red', 'green', 'blue'),
        'palette': np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=np.uint8),
        'first_id': np.int64(7),
        'by_name': by_name,
        'recent': deque([1, 2], maxlen=5),
    }


def toy_config(work_dir, **changes) -> Config:
    """Return the config of a training of two epochs of three batches."""
    loader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='ToyColourDataset'),
    )
    content = dict(
        work_dir=str(work_dir),
        experiment_name=f'toy_{next(_run_numbers)}',
        model=dict(
            type='ToyColourModel',
            data_preprocessor=dict(
                type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3
            ),
            backbone=dict(type='ToyColourBackbone'),
        ),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
        val_evaluator=dict(type='ToyAccuracy'),
        test_evaluator=dict(type='ToyAccuracy'),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1),
        val_cfg=dict(type='ValLoop'),
        test_cfg=dict(type='TestLoop'),
        optim_wrapper=dict(
            type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)
        ),
        param_scheduler=dict(type='MultiStepLR', by_epoch=True, milestones=[1, 5]),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1, save_best='auto')
        ),
        randomness=dict(seed=0),
        default_scope='mmengine',
        log_level='WARNING',
    )
    cfg = Config(content, format_python_code=False)  # formatting takes half a second
    cfg.merge_from_dict(changes)
    return cfg


def toy_weights(width: int = 3) -> dict:
    """Return the weights of a toy model, as its state dict."""
    torch.manual_seed(0)
    return toy_model(width).state_dict()


def toy_model(width: int = 3, init_cfg: dict | None = None):
    """Build the toy model."""
    backbone = dict(type='ToyColourBackbone', width=width, init_cfg=init_cfg)
    return MODELS.build(dict(type='ToyColourModel', backbone=backbone))


def tool_arguments(tmp_path, **changes) -> Namespace:
    """Return what tools/train.py and tools/test.py parse, with a toy config file."""
    config = tmp_path / 'toy.py'
    toy_config(tmp_path / 'run').dump(config)
    arguments = dict(
        config=str(config),
        work_dir=None,
        launcher='none',
        cfg_options=None,
        trust_checkpoint=False,
    )
    return Namespace(**{**arguments, **changes})


@HOOKS.register_module(force=True)
class ToyDiskThatFillsUp(Hook):
    """Lets files be no larger than ``limit`` bytes after the first checkpoint."""

    priority = 'LOWEST'

    def __init__(self, limit):
        self.limit = limit

    def after_train_epoch(self, runner):
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, self.limit))
