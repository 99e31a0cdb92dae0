"""Features of images out of a frozen network, in batches that fit."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.prediction_writer import image_id_of
from mmdetxfer.probes.pooling import WHOLE, pooled

# Not every detector has them.
_OF_HEADS = re.compile(r'ConvProj|FC\d+')
# Every backbone has layers of one of these kinds.
_OF_BACKBONES = re.compile(r'(Conv|stage|block)\d+')
# What preprocessors pad by: those of mmdet and mmpretrain, and mmseg's in a test.
_WITHOUT_PADDING = {'pad_size_divisor': 1, 'test_cfg': None}


@dataclass(frozen=True)
class LayerRequest:
    """A layer and what its map becomes.

    Args:
        layer: Its name, as in ``NamedLayers``.
        pooling: Fields each way, or 'whole'.
    """

    layer: str
    pooling: int | str = 1

    @property
    def key(self) -> str:
        """Its name with the pooling: 'Conv5 1x1', 'ConvProj whole'; 'FC1'."""
        if self.layer.startswith('FC'):
            return self.layer
        if self.pooling == WHOLE:
            return f'{self.layer} {WHOLE}'
        return f'{self.layer} {self.pooling}x{self.pooling}'


def requests_for(
    layers: Any,
    words: Sequence[str],
    poolings: Sequence[int | str],
    say: Callable[[str], None],
) -> tuple[LayerRequest, ...]:
    """Return each layer with each pooling; of vectors there is one.

    Layers of detectors' heads that this network has not are left out, and so are those
    of other kinds of backbones, so that one list serves all candidates; it is said.

    Args:
        layers: The network's layers.
        words: Names of those that are asked for, such as 'Conv5', or with poolings of
            their own, 'Conv5:1,2,whole'.
        poolings: Of maps, where a word has none.
        say: Told what is left out.
    """
    found: dict[str, LayerRequest] = {}
    left_out = []
    for word in words:
        name, _, own = word.partition(':')
        if _is_of_others(name, layers.names):
            left_out.append(name)
            continue
        layers.check([name])
        for size in own.split(',') if own else poolings:
            one = LayerRequest(name, _pooling(size))
            found[one.key] = one
    if left_out:
        say(
            f'{type(layers.model).__name__} has no {", ".join(left_out)}: left out; it '
            f'has {", ".join(layers.names)}'
        )
    if not found:
        layers.check(left_out)
    return tuple(found.values())


def _is_of_others(name: str, names: Sequence[str]) -> bool:
    """Whether a network has not this layer, but others may."""
    kind = _OF_BACKBONES.fullmatch(name)
    if name in names or kind is None:
        return name not in names and _OF_HEADS.fullmatch(name) is not None
    # Blocks come before the stage that a transformer of blocks returns.
    own = _OF_BACKBONES.fullmatch(names[0])
    return own is None or own[1] != kind[1]


def _pooling(size: int | str) -> int | str:
    """Return a number of fields, or 'whole'; others are refused where they pool."""
    return int(size) if str(size).isdigit() else size


def labelled_images(
    dataset: Any, root: Path | None
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return ids and classes of a classification data set's images, in order.

    Args:
        dataset: The images.
        root: Folder that images without an id are named relative to.
    """
    ids, labels = [], []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if not isinstance(info.get('gt_label'), int | np.integer):
            raise UserError(
                f'expected images with one class each (gt_label), image {index} of '
                f'{type(dataset).__name__} has {info.get("gt_label")!r}'
            )
        ids.append(image_id_of(info, root))
        labels.append(int(info['gt_label']))
    return tuple(ids), tuple(labels)


class FrozenFeatures:
    """Gives the features of images, in batches that fit.

    Args:
        model: Put into evaluation mode, and told not to pad.
        requests: What is kept.
        batch_size: Images at a time.
        say: Told what the user should know.
    """

    def __init__(
        self,
        model: nn.Module,
        requests: Sequence[LayerRequest],
        batch_size: int,
        say: Callable[[str], None],
    ) -> None:
        self.model, self.requests, self.say = model.eval(), requests, say
        # A training of another host must not import the detectors that it names.
        from mmdetxfer.models.named_layers import NamedLayers

        self.layers = NamedLayers(model)
        self.batch_size = batch_size
        # Borders of zeros would be in the features.
        preprocessor = model.data_preprocessor
        for name, value in _WITHOUT_PADDING.items():
            if hasattr(preprocessor, name):
                setattr(preprocessor, name, value)

    def __call__(self, images: list[Tensor]) -> dict[str, np.ndarray]:
        """Return the features of images by key."""
        parts: dict[str, list] = {one.key: [] for one in self.requests}
        start = 0
        while start < len(images):
            try:
                found = self._features(images[start : start + self.batch_size])
            except torch.OutOfMemoryError:
                if self.batch_size == 1:
                    raise
                self.batch_size //= 2
                torch.cuda.empty_cache()
                self.say(f'out of memory: {self.batch_size} images at a time from here')
                continue
            for key, features in found.items():
                parts[key].append(features)
            start += self.batch_size
        return {key: np.concatenate(own) for key, own in parts.items()}

    @torch.no_grad()
    def _features(self, images: list[Tensor]) -> dict[str, np.ndarray]:
        sizes = {tuple(image.shape) for image in images}
        if len(sizes) != 1:
            raise UserError(
                'expected a pipeline that makes all images of one size (CenterCrop), '
                f'got {sorted(sizes)[:2]}'
            )
        data = dict(inputs=images, data_samples=None)
        inputs = self.model.data_preprocessor(data, False)['inputs']
        cudnn = torch.backends.cudnn
        before, cudnn.allow_tf32 = cudnn.allow_tf32, False
        try:
            maps = self.layers(inputs.float(), [one.layer for one in self.requests])
        finally:
            cudnn.allow_tf32 = before
        try:
            found = {
                one.key: pooled(maps[one.layer], one.pooling) for one in self.requests
            }
        except ValueError as error:
            raise UserError(str(error)) from error
        return {key: own.float().cpu().numpy() for key, own in found.items()}


@contextmanager
def as_before(model: nn.Module) -> Iterator[None]:
    """Put a model back into its modes and its padding, whatever the block sets."""
    modes = {module: module.training for module in model.modules()}
    preprocessor = getattr(model, 'data_preprocessor', None)
    padding = {
        name: getattr(preprocessor, name)
        for name in _WITHOUT_PADDING
        if hasattr(preprocessor, name)
    }
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for name, value in padding.items():
            setattr(preprocessor, name, value)
