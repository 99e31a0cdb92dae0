"""What does keeping the layers cost beside the bare forward pass?

    python tools/benchmarks/extraction_speed.py

A ResNet-50 with random weights and images in memory: the time of the backbone alone,
and of an extraction that keeps all its stages with all poolings, hashes the weights and
writes shards, turn by turn. The goal is 1.1 at most. Seconds of processors are counted
too, which other work beside it changes little.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.utils.data import Dataset

from mmdetxfer.engine.frozen_features import requests_for
from mmdetxfer.engine.frozen_network import frozen_network
from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.extraction import extract_features
from mmdetxfer.feature_files import FeatureManifest
from mmdetxfer.models.named_layers import NamedLayers

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/transfer_cls/r50-c5_1xb64-5k_caltech256.py'
)
LAYERS = ('Conv2:1', 'Conv3:1', 'Conv4:1', 'Conv5:1,2,4,whole')


class Images(Dataset):
    """Random images in memory, two classes in turn."""

    def __init__(self, count: int, size: int) -> None:
        """Draw them."""
        drawn = torch.Generator().manual_seed(0)
        shape = (count, 3, size, size)
        self.images = torch.randint(0, 256, shape, generator=drawn, dtype=torch.uint8)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.images)

    def __getitem__(self, index: int) -> dict:
        """Return one as a pipeline packs it."""
        return dict(inputs=self.images[index])


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=128)
    parser.add_argument('--size', type=int, default=224, help='pixels each way')
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--rounds', type=int, default=5)
    return parser.parse_args()


def clocks() -> np.ndarray:
    """Return (2,) seconds now: of the clock, and of processors until now."""
    return np.array([time.perf_counter(), time.process_time()])


@torch.no_grad()
def bare_seconds(model: torch.nn.Module, data: Images, batch_size: int) -> np.ndarray:
    """Return (2,) the time of the backbone alone, preprocessor included."""
    begun = clocks()
    for images in data.images.split(batch_size):
        inputs = model.data_preprocessor(dict(inputs=list(images)), False)['inputs']
        maps = model.backbone(inputs)
        # A GPU has worked when its answer is here.
        maps[-1].flatten(1)[:, 0].cpu()
    return clocks() - begun


def extraction_seconds(
    model: torch.nn.Module, data: Images, batch_size: int, folder: Path
) -> np.ndarray:
    """Return (2,) the time of an extraction, shards and hashes included."""
    requests = requests_for(NamedLayers(model), LAYERS, (1,), print)
    count = len(data)
    manifest = FeatureManifest(
        weights='random',
        network='',
        preprocessing='',
        layers=tuple(one.key for one in requests),
        image_ids=tuple(map(str, range(count))),
        labels=tuple(k % 2 for k in range(count)),
        classes=('a', 'b'),
        images_per_shard=count,
        batch_size=batch_size,
    )
    begun = clocks()
    extract_features(model, data, requests, manifest, folder, num_workers=0)
    return clocks() - begun


def spread(values: np.ndarray) -> str:
    """Return the median, and the ends."""
    return f'{np.median(values):.3f} ({values.min():.3f} to {values.max():.3f})'


@one_line_errors
def main() -> None:
    """Measure in turn, print both and the ratio."""
    args = parse_args()
    if min(args.images, args.batch_size, args.rounds) < 1 or args.size < 64:
        raise UserError(
            'expected 1 or more images, images a batch and rounds, and 64 pixels or '
            f'more, got {args.images}, {args.batch_size}, {args.rounds}, {args.size}'
        )
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.init_cfg = None
    import mmpretrain.models  # noqa: F401

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = frozen_network(cfg, None)
    data = Images(args.images, args.size)
    bare_seconds(model, data, args.batch_size)
    bare, kept = [], []
    for _ in range(args.rounds):
        bare.append(bare_seconds(model, data, args.batch_size))
        folder = Path(tempfile.mkdtemp())
        try:
            kept.append(extraction_seconds(model, data, args.batch_size, folder))
        finally:
            shutil.rmtree(folder)
    speeds = [args.images / np.median(own, axis=0)[0] for own in (bare, kept)]
    print(
        f'bare forward {speeds[0]:.1f} images a second, extraction {speeds[1]:.1f}; '
        f'ratio of the times {spread(np.divide(kept, bare)[:, 0])}, of processors '
        f'{spread(np.divide(kept, bare)[:, 1])}'
    )


if __name__ == '__main__':
    main()
