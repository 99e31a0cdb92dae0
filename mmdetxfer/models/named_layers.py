"""The layers of a network by the names that papers use, for any host and kind.

- Residual networks have ``Conv2`` to ``Conv5``, the outputs of their four stages.
- Other backbones have ``stage<k>`` for each output that they return, from 1.
- Transformers of attention blocks in a row have ``block<n>``, from 1: patch tokens.
- Detectors whose second stage has shared layers have ``FC1``, ``FC2``, ...: one region,
  the whole image, through the detector's own extractor, each after its ReLU; and
  SNIPER's have ``ConvProj``, the map of the whole image before any RoI pooling.

- All have ``last``, the last of what the backbone returns, whatever it is called.

A detector without such a second stage (one-stage, DETR) has no FC and ConvProj, and
``NamedLayers.names`` says which there are.

Whatever a host's order is, channels come first; class tokens, and other tokens before
those of the patches, are taken away.
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
LAST = 'last'
_FC = 'FC'
# Of mmpretrain; all others that return tokens have the channels last.
_TOKENS_LAST = ('MlpMixer', 'EfficientFormer')
# CaiT's and XCiT's blocks behind those of the patches, which add the class token.
_CLASS_BLOCKS = ('blocks_token_only', 'cls_attn_blocks')


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
        unknown = [name for name in names if name not in (*self.names, LAST)]
        if unknown:
            raise UserError(
                f'{type(self.model).__name__} has no layer {unknown[0]!r}; it has '
                f'{", ".join(self.names)}, and {LAST} is the last of its backbone'
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
        self._check_outputs(maps, [name for name in inner if name not in found])
        found.update(zip(self._returned, map(_map_of, maps), strict=True))
        for name, tensor in found.items():
            found[name] = _channels_first(tensor, name, self.model.backbone)
        found[LAST] = found[self._returned[-1]]
        if any(name == PROJECTION or name.startswith(_FC) for name in names):
            neck = getattr(self.model, 'neck', None)
            maps = tuple(maps if neck is None else neck(maps))
            found[PROJECTION] = maps[0]
            if any(name.startswith(_FC) for name in names):
                found.update(self._regions(maps, images.shape[2:]))
        return {name: found[name] for name in names}

    def _check_outputs(self, maps: Sequence[Any], silent: Sequence[str]) -> None:
        """Refuse a backbone that returns or calls other modules than it names."""
        kind = type(self.model.backbone).__name__
        if len(maps) != len(self._returned):
            raise UserError(
                f'expected {", ".join(self._returned)} of {kind}, one output each, got '
                f'{len(maps)} outputs'
            )
        silent = [name for name in silent if name not in self._returned]
        if silent:
            raise UserError(
                f'expected an output of {silent[0]}, but {kind} never calls it: leave '
                f'out {", ".join(silent)}'
            )

    def _regions(self, maps: tuple[Tensor, ...], size: Sequence[int]) -> dict:
        """Return the shared layers on one region an image: all of it."""
        height, width = size
        count = len(maps[0])
        whole = maps[0].new_tensor([0, 0, 0, width, height]).repeat(count, 1)
        whole[:, 0] = torch.arange(count)
        roi_head = self.model.roi_head
        extractor = _first_stage(roi_head.bbox_roi_extractor)
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
        blocks = getattr(_network(backbone), name, None)
        # Stages and convolutions have such names too, and maps for outputs.
        if isinstance(blocks, nn.Sequential | nn.ModuleList) and all(
            getattr(block, 'attn', None) is not None for block in blocks
        ):
            return {f'block{k + 1}': block for k, block in enumerate(blocks)}
    return {}


def _returned_names(backbone: nn.Module) -> list[str]:
    """Return the names of what the backbone returns."""
    info = getattr(_network(backbone), 'feature_info', None)
    if hasattr(info, 'out_indices'):
        # Of timm's wrappers for several maps; these count from the end too.
        indices = [k % len(info) for k in info.out_indices]
        if indices != sorted(set(indices)):
            raise UserError(
                "expected rising out_indices, as timm's order of the maps depends on "
                f'the network, got {tuple(info.out_indices)}'
            )
        return [f'stage{k + 1}' for k in indices]
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
    head = _first_stage(getattr(getattr(model, 'roi_head', None), 'bbox_head', None))
    return head if len(getattr(head, 'shared_fcs', ())) else None


def _first_stage(part: Any) -> Any:
    """Return a cascade's first of several, and any other part itself."""
    return part[0] if isinstance(part, nn.ModuleList) else part


def _network(backbone: nn.Module) -> nn.Module:
    """Return what is in the hosts' wrappers of timm, and any other backbone itself."""
    return getattr(backbone, 'timm_model', backbone)


@contextmanager
def _listening(modules: dict[str, nn.Module], found: dict) -> Iterator[None]:
    """Keep what the modules return."""

    def keep(name: str) -> Callable:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            found[name] = _map_of(output)

        return hook

    handles = [
        module.register_forward_hook(keep(name)) for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _map_of(output: Any) -> Tensor:
    """Return the map, where a size or the class token stands beside it."""
    return output[0] if isinstance(output, (tuple, list)) else output


def _channels_first(output: Tensor, name: str, backbone: nn.Module) -> Tensor:
    """Return (N, C, H, W) maps, (N, C, L) patch tokens or (N, C) vectors.

    Args:
        output: As the backbone or one of its blocks returns it.
        name: Of the layer.
        backbone: The host's.
    """
    network, is_block = _network(backbone), name.startswith('block')
    if output.ndim == 4:
        is_last = is_block or getattr(network, 'output_fmt', '') == 'NHWC'
        return output.permute(0, 3, 1, 2) if is_last else output
    # timm has classes of these names too, with the channels last.
    are_last = network is backbone and type(network).__name__ in _TOKENS_LAST
    if output.ndim != 3 or are_last:
        return output
    return output[:, _num_class_tokens(network, is_block) :].transpose(1, 2)


def _num_class_tokens(network: nn.Module, is_block: bool) -> int:
    """Return how many tokens are before those of the patches."""
    if is_block and any(hasattr(network, name) for name in _CLASS_BLOCKS):
        return 0
    for name in ('num_extra_tokens', 'num_prefix_tokens'):
        if getattr(network, name, None) is not None:
            return getattr(network, name)
    # The ViT of mmseg has the parameter also where it leaves the token out.
    has_token = getattr(network, 'cls_token', None) is not None
    return int(has_token and getattr(network, 'with_cls_token', True))
