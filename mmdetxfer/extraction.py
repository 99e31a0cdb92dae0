"""Runs a frozen network over labelled images once and keeps any of its layers.

All layers come out of one pass. Every rank takes every so manyth shard; what is there
and whole is not made again. Images go through the network in single precision, as its
own preprocessor wants them, without padding; that the network is the same afterwards,
statistics included, is proven by hashes.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.dist import barrier, get_rank, get_world_size
from mmengine.registry import DATASETS, DefaultScope, init_default_scope
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from mmdetxfer.checkpoints.receipt import joint_hash, tensor_hash
from mmdetxfer.checkpoints.settle_convention import weights_named_in
from mmdetxfer.config_hash import config_hash
from mmdetxfer.datasets import guarded
from mmdetxfer.engine.frozen_features import (
    FrozenFeatures,
    LayerRequest,
    labelled_images,
    requests_for,
)
from mmdetxfer.engine.frozen_network import frozen_network
from mmdetxfer.engine.part_files import file_hash
from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.prediction_writer import image_root
from mmdetxfer.feature_files import (
    FeatureManifest,
    is_whole,
    open_features,
    remove_shard,
    write_shard,
)
from mmdetxfer.models.named_layers import NamedLayers

# Of a second stage the shared layers are layers.
_PREDICTORS = re.compile(
    r'(head|decode_head|auxiliary_head|bbox_head|mask_head)\.|'
    r'roi_head\.(?!bbox_head\.(\d+\.)?shared_)'
)


@dataclass(frozen=True)
class Extracted:
    """What a call of ``extract_features`` did in this process.

    Args:
        num_shards: Shards of images that were made.
        num_images: Images that went through the network.
        seconds: That took, data included.
        batch_size: Images at a time in the end; fewer if memory was short.
    """

    num_shards: int
    num_images: int
    seconds: float
    batch_size: int


def extract_features(
    model: nn.Module,
    dataset: Any,
    requests: Sequence[LayerRequest],
    wanted: FeatureManifest,
    out: Path,
    num_workers: int = 2,
    report: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = print,
) -> Extracted:
    """Make the shards of this rank that are missing.

    Args:
        model: The network, with its weights, where it shall run.
        dataset: The images, whose pipeline packs them.
        requests: What is kept.
        wanted: What it is of; its layers are the keys of ``requests``.
        out: Folder of the features.
        num_workers: Processes that load images.
        report: Told how many of how many of this rank's images are done.
        say: Told what the user should know.
    """
    if get_rank() == 0:
        open_features(out, wanted)
    barrier()
    missing = [
        shard
        for shard in range(wanted.num_shards)
        if not all(is_whole(out, key, shard) for key in wanted.layers)
    ]
    # All have looked before any writes; from here on nobody waits for another.
    barrier()
    missing = missing[get_rank() :: get_world_size()]
    runner = FrozenFeatures(model, requests, wanted.batch_size, say)
    before, begun, done = _state_hash(model), time.monotonic(), 0
    total = sum(len(wanted.images_of(shard)) for shard in missing)
    for shard, images in zip(
        missing, _shards(dataset, missing, wanted, num_workers), strict=True
    ):
        for key, features in runner(images).items():
            write_shard(out, key, shard, features)
        done += len(images)
        if report is not None:
            report(done, total)
    if _state_hash(model) != before:
        # What a changed network gave must not count as whole the next time.
        for shard in missing:
            for key in wanted.layers:
                remove_shard(out, key, shard)
        raise RuntimeError('the frozen network is not what it was at the beginning')
    seconds = time.monotonic() - begun
    return Extracted(len(missing), done, seconds, runner.batch_size)


def extract_as_told(
    cfg: Config,
    data: Config,
    args: Any,
    report: Callable[[int, int], None],
    say: Callable[[str], None],
) -> Extracted:
    """Extract what the arguments of ``tools/extract_features.py`` name.

    Args:
        cfg: Of the network; its test_dataloader is the images.
        data: Where they are from.
        args: The arguments.
        report: Told how many of how many images are done.
        say: Told what the user should know.
    """
    if min(args.batch_size, args.images_per_shard) < 1:
        raise UserError(
            '--batch-size, --images-per-shard: expected 1 or more, got '
            f'{args.batch_size} and {args.images_per_shard}'
        )
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    model = frozen_network(cfg, args.checkpoint, args.seed, _is_before_predictors)
    requests = requests_for(NamedLayers(model), args.layers, args.pooling, say)
    with DefaultScope.overwrite_default_scope(data.get('default_scope', 'mmpretrain')):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    ids, labels = labelled_images(dataset, image_root(cfg))
    # Of an address: of what was fetched from it.
    weights = file_hash(args.checkpoint) if args.checkpoint else ''
    if not weights:
        begun = ', '.join(f'{one} {file_hash(one)}' for one in weights_named_in(cfg))
        weights = f'{begun or "drawn"} with seed {args.seed}'
    pipeline = data.test_pipeline
    wanted = FeatureManifest(
        weights=weights,
        network=f'{config_hash(args.config)} {args.cfg_options or ""}'.strip(),
        preprocessing=f'{pipeline}, {cfg.input_convention}',
        layers=tuple(one.key for one in requests),
        image_ids=ids,
        labels=labels,
        classes=_class_names(dataset, labels),
        images_per_shard=args.images_per_shard,
        batch_size=args.batch_size,
    )
    settings = (args.num_workers, report, say)
    return extract_features(model, dataset, requests, wanted, args.out, *settings)


def _is_before_predictors(name: str) -> bool:
    """Whether layers depend on a tensor: those that predict come after all."""
    return _PREDICTORS.match(name) is None


def _class_names(dataset: Any, labels: Sequence[int]) -> tuple[str, ...]:
    """Return the classes; mmpretrain's Flowers102 has numbers alone."""
    classes = dataset.metainfo.get('classes')
    return tuple(classes or map(str, range(max(labels) + 1)))


def _shards(
    dataset: Any, missing: Sequence[int], wanted: FeatureManifest, num_workers: int
) -> Iterator[list[Tensor]]:
    """Yield the images of each shard, loaded ahead."""
    order = [image for shard in missing for image in wanted.images_of(shard)]
    loader = DataLoader(
        Subset(guarded(dataset), order),
        batch_size=wanted.batch_size,
        num_workers=num_workers,
        collate_fn=pseudo_collate,
    )
    loaded = (image for batch in loader for image in batch['inputs'])
    for shard in missing:
        yield [next(loaded) for _ in wanted.images_of(shard)]


def _state_hash(model: nn.Module) -> str:
    """Return a hash of all weights and statistics."""
    state = model.state_dict()
    return joint_hash({name: tensor_hash(value) for name, value in state.items()})
