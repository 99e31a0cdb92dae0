"""The layers of a network by the names that papers use, for any host and kind.

- Residual networks have ``Conv2`` to ``Conv5``, the outputs of their four stages.
- Other backbones have ``stage<k>`` for each output that they return, from 1.
- Transformers with class tokens or none have ``block<n>``, from 1: patch tokens.
- Detectors whose second stage has shared layers have ``FC1``, ``FC2``, ...: one region,
  the whole image, through the detector's own extractor, each after its ReLU; and
  SNIPER's have ``ConvProj``, the map of the whole image before any RoI pooling.

A detector without such a second stage (one-stage, DETR) has none of the last, and
``NamedLayers.names`` says which there are.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmdetxfer.errors import UserError
from mmdetxfer.models.deform_roi_extractor import DeformRoIExtractor
from mmdetxfer.models.joined_stages import JoinedStages
from mmdetxfer.models.pre_act_res_net import PreActResNet

PROJECTION = 'ConvProj'
_FC = 'FC'


class NamedLayers:
    """Runs a network and returns the layers that are asked for.

    Args:
        model: Of mmdet, mmseg or mmpretrain: it has a backbone.
    """

    def __init__(self, model: nn.Module) -> None:
        """Find the layers."""
        if getattr(model, 'backbone', None) is None:
            raise UserError(
                'expected a model with a backbone, whose layers have names, got '
                f'{type(model).__name__}'
            )
        self.model = model
        self._inner = _inner_modules(model.backbone)
        self._returned = _returned_names(model.backbone)
        self._head = _shared_head(model)
        self.names = tuple(dict.fromkeys([*self._inner, *self._returned]))
        if isinstance(getattr(model, 'neck', None), JoinedStages):
            self.names += (PROJECTION,)
        if self._head is not None:
            count = len(self._head.shared_fcs)
            self.names += tuple(f'{_FC}{k + 1}' for k in range(count))

    def check(self, names: Sequence[str]) -> None:
        """Refuse layers that the network does not have."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise UserError(
                f'{type(self.model).__name__} has no layer {unknown[0]!r}; it has '
                f'{", ".join(self.names)}'
            )

    @torch.no_grad()
    def __call__(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Return (N, C, H, W) maps, (N, C, L) tokens or (N, C) vectors by name.

        Args:
            images: (N, 3, H, W), as the network takes them.
            names: Layers.
        """
        self.check(names)
        found: dict[str, Tensor] = {}
        inner = {name: self._inner[name] for name in names if name in self._inner}
        with _listening(inner, found):
            maps = self.model.backbone(images)
        maps = maps if isinstance(maps, (tuple, list)) else (maps,)
        found.update(zip(self._returned, maps, strict=True))
        for name, tensor in found.items():
            if name.startswith('block'):
                found[name] = _patch_tokens(tensor, self.model.backbone)
        if any(name == PROJECTION or name.startswith(_FC) for name in names):
            neck = getattr(self.model, 'neck', None)
            maps = tuple(maps if neck is None else neck(maps))
            found[PROJECTION] = maps[0]
            if any(name.startswith(_FC) for name in names):
                found.update(self._regions(maps, images.shape[2:]))
        return {name: found[name] for name in names}

    def _regions(self, maps: tuple[Tensor, ...], size: Sequence[int]) -> dict:
        """Return the shared layers on one region an image: all of it."""
        height, width = size
        count = len(maps[0])
        whole = maps[0].new_tensor([0, 0, 0, width, height]).repeat(count, 1)
        whole[:, 0] = torch.arange(count)
        roi_head = self.model.roi_head
        extractor = roi_head.bbox_roi_extractor
        if isinstance(extractor, DeformRoIExtractor) and not maps[0].is_cuda:
            raise UserError(
                'deformable RoI pooling has no CPU kernel: extract FC layers of this '
                'detector on a GPU, or leave them out'
            )
        x = extractor(maps[: extractor.num_inputs], whole)
        if roi_head.with_shared_head:
            x = roi_head.shared_head(x)
        head = self._head
        for conv in getattr(head, 'shared_convs', ()):
            x = conv(x)
        if head.with_avg_pool:
            x = head.avg_pool(x)
        x, found = x.flatten(1), {}
        # Not by hooks: the host's ReLU is in place, so that what a hook sees depends on
        # whether the device shares the memory.
        for number, layer in enumerate(head.shared_fcs):
            x = functional.relu(layer(x))
            found[f'{_FC}{number + 1}'] = x
        return found


def _inner_modules(backbone: nn.Module) -> dict[str, nn.Module]:
    """Return the modules whose outputs are layers."""
    if isinstance(backbone, PreActResNet):
        found = {f'Conv{k + 2}': getattr(backbone, f'stage{k + 1}') for k in range(4)}
        if backbone.final_norm is not None:
            # The last map counts after its closing normalisation and ReLU.
            del found['Conv5']
        return found
    stages = getattr(backbone, 'res_layers', None)
    if isinstance(stages, list):
        return {f'Conv{k + 2}': getattr(backbone, one) for k, one in enumerate(stages)}
    for name in ('layers', 'blocks'):
        blocks = getattr(getattr(backbone, 'timm_model', backbone), name, None)
        if isinstance(blocks, nn.Sequential | nn.ModuleList):
            return {f'block{k + 1}': block for k, block in enumerate(blocks)}
    return {}


def _returned_names(backbone: nn.Module) -> list[str]:
    """Return the names of what the backbone returns."""
    indices = getattr(backbone, 'out_indices', None)
    if indices is None or isinstance(indices, int):
        indices = (0,)
    if isinstance(backbone, PreActResNet) or hasattr(backbone, 'res_layers'):
        return [f'Conv{k + 2}' for k in indices]
    if min(indices) < 0:
        indices = range(len(indices))
    return [f'stage{k + 1}' for k in indices]


def _shared_head(model: nn.Module) -> Any:
    """Return the second stage's head if it has shared layers."""
    head = getattr(getattr(model, 'roi_head', None), 'bbox_head', None)
    if isinstance(head, nn.ModuleList):
        # A cascade's first.
        head = head[0]
    return head if len(getattr(head, 'shared_fcs', ())) else None


@contextmanager
def _listening(modules: dict[str, nn.Module], found: dict) -> Iterator[None]:
    """Keep what the modules return."""

    def keep(name: str) -> Callable:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            found[name] = output[0] if isinstance(output, (tuple, list)) else output

        return hook

    handles = [
        module.register_forward_hook(keep(name)) for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _patch_tokens(tokens: Tensor, backbone: nn.Module) -> Tensor:
    """Return (N, C, L) patch tokens out of (N, E + L, C) with E others before."""
    network = getattr(backbone, 'timm_model', backbone)
    others = getattr(network, 'num_extra_tokens', None)
    if others is None:
        others = getattr(network, 'num_prefix_tokens', 0)
    return tokens[:, others:].transpose(1, 2)
