"""Runs a detector's first stage over the images of a chip data set, shard by shard.

SNIPER's way (facts B5): 300 proposals at each test scale, stacked, and suppressed at an
IoU of 0.7 over all scales. Every rank takes every so manyth shard; what is there and
whole is not made again.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.ops import nms
from mmdet.models.detectors import RPN
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.dist import barrier, get_rank, get_world_size
from mmengine.registry import DATASETS, init_default_scope
from torch.utils.data import DataLoader, Dataset

from mmdetxfer.datasets import ChipDataset, guarded
from mmdetxfer.datasets.proposal_shards import (
    ProposalSet,
    hash_of_ids,
    open_folder,
    read_shard,
    write_shard,
)
from mmdetxfer.engine.frozen_network import frozen_network
from mmdetxfer.errors import UserError
from mmdetxfer.text_files import sha256_of_file

IOU_THRESHOLD = 0.7


def extract_proposals(
    cfg: Config,
    checkpoint: str,
    out: Path,
    images_per_shard: int = 500,
    report: Callable[[int, int], None] | None = None,
) -> int:
    """Make the shards of this rank that are missing; return how many those were.

    Args:
        cfg: A config that trains on chips; the scales are those of its tta_pipeline.
        checkpoint: Weights of its detector, or of an RPN alone.
        out: Folder of the shards.
        images_per_shard: Images of a shard.
        report: Told how many of how many of this rank's images are done.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = _images(cfg)
    model = _detector(cfg, checkpoint)
    wanted = ProposalSet(
        weights_sha256=sha256_of_file(Path(checkpoint)),
        scales=str(_scales(cfg)),
        num_images=len(dataset),
        images_sha256=hash_of_ids(image_ids(dataset)),
        max_per_scale=_first_stage(model).test_cfg.max_per_img,
        iou_threshold=IOU_THRESHOLD,
        images_per_shard=images_per_shard,
    )
    if images_per_shard < 1:
        raise UserError(f'images_per_shard: expected 1 or more, got {images_per_shard}')
    if get_rank() == 0:
        open_folder(out, wanted)
    barrier()
    missing = [
        shard
        for shard in range(wanted.num_shards)
        if read_shard(out, shard, len(wanted.images_of(shard))) is None
    ]
    # All have looked before any writes; from here on nobody waits for another.
    barrier()
    missing = missing[get_rank() :: get_world_size()]
    images = [index for shard in missing for index in wanted.images_of(shard)]
    views = guarded(_Views(dataset, cfg.tta_pipeline, images))
    found = _proposals(model, views, cfg)
    done = 0
    for shard in missing:
        pairs = [next(found) for _ in wanted.images_of(shard)]
        write_shard(out, shard, *map(list, zip(*pairs, strict=True)))
        done += len(pairs)
        if report is not None:
            report(done, len(images))
    return len(missing)


def image_ids(dataset: Any) -> list[str]:
    """Return the ids of a data set's images, in order."""
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return [str(info.get('img_id', index)) for index, info in enumerate(infos)]


def _images(cfg: Config) -> ChipDataset:
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    if not isinstance(dataset, ChipDataset):
        raise UserError(
            'train_dataloader.dataset: expected a mmdetxfer.ChipDataset, got '
            f'{type(dataset).__name__}'
        )
    if cfg.get('tta_pipeline') is None:
        raise UserError(
            'expected a tta_pipeline whose scales the proposals are made at, the '
            'config has none'
        )
    return dataset


def _scales(cfg: Config) -> list:
    """Return what the test's views resize images to."""
    views = cfg.tta_pipeline[-1]['transforms'][0]
    return [view.get('scale', view.get('scale_factor')) for view in views]


def _detector(cfg: Config, checkpoint: str) -> torch.nn.Module:
    """Return the detector; what proposals do not depend on may be missing."""
    # The first stage of a two-stage file goes into an RPN by mmdet's own renaming.
    return frozen_network(
        cfg, checkpoint, is_needed=lambda name: not name.startswith('roi_head.')
    )


def _first_stage(model: torch.nn.Module) -> torch.nn.Module:
    if isinstance(model, RPN):
        return model.bbox_head
    if getattr(model, 'rpn_head', None) is None:
        raise UserError(
            'expected a detector with a first stage (rpn_head), got '
            f'{type(model).__name__}'
        )
    return model.rpn_head


class _Views(Dataset):
    """The test's views of some images."""

    def __init__(self, dataset: ChipDataset, pipeline: list, images: list[int]) -> None:
        self.dataset, self.images = dataset, images
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> dict:
        return self.pipeline(self.dataset.get_data_info(self.images[place]))


@torch.no_grad()
def _proposals(
    model: torch.nn.Module, views: Dataset, cfg: Config
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield boxes and scores of each image, surest first."""
    loader = DataLoader(
        views,
        batch_size=1,
        num_workers=cfg.val_dataloader.get('num_workers', 0),
        collate_fn=pseudo_collate,
    )
    head = _first_stage(model)
    for batch in loader:
        boxes, scores = [], []
        pairs = zip(batch['inputs'], batch['data_samples'], strict=True)
        for inputs, samples in pairs:
            data = dict(inputs=inputs, data_samples=samples)
            data = model.data_preprocessor(data, False)
            features = model.extract_feat(data['inputs'])
            (found,) = head.predict(features, data['data_samples'], rescale=True)
            boxes.append(found.bboxes)
            scores.append(found.scores)
        together, values = torch.cat(boxes), torch.cat(scores)
        _, kept = nms(together, values, IOU_THRESHOLD)
        yield together[kept].cpu().numpy(), values[kept].cpu().numpy()
