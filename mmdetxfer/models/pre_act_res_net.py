"""The pre-activation ResNet that SNIPER trains (MXNet's ``resnet_mx_101``).

He et al. 2016b as MXNet has it: a normalisation of the input without a scale, the stem,
units that normalise and rectify before each convolution, and a stride in the 3x3. In a
detector there is no normalisation behind the last unit; a classifier has one
(``has_final_norm``). Names of parts are this package's, the same in all hosts.
"""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_conv_layer, build_norm_layer
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from mmdetxfer.registry import MODELS

_DEFORMABLE = 'mmdetxfer.UndilatedOffsetDeformConv'
# As in MXNet; its momentum of 0.995 is 0.005 here.
_NORM = dict(type='BN', eps=2e-5, momentum=0.005)


class PreActUnit(BaseModule):
    """Normalise, rectify, convolve; two or three times, beside a shortcut.

    Args:
        in_channels: Of the input.
        channels: Of the inner convolutions.
        expansion: The output has as many times ``channels``; 4: a bottleneck of three
            convolutions, 1: two 3x3.
        spatial: Of the 3x3: stride (of the first), dilation, deform_groups (None for
            plain ones).
        norm_cfg: Of all normalisations.
        has_shortcut: Whether the shortcut is a 1x1 convolution.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        expansion: int,
        spatial: dict,
        norm_cfg: dict,
        has_shortcut: bool,
    ) -> None:
        super().__init__()
        stride, dilation = spatial['stride'], spatial['dilation']
        second = dict(padding=dilation, dilation=dilation)
        first = dict(stride=stride, **second)
        if expansion == 1:
            layers = [(3, channels, first), (3, channels, second)]
        else:
            layers = [(1, channels, {}), (3, channels, first)]
            layers.append((1, channels * expansion, {}))
        width = in_channels
        for number, (size, out_channels, options) in enumerate(layers, 1):
            cfg = None
            if size == 3 and spatial['deform_groups'] is not None:
                cfg = dict(type=_DEFORMABLE, deform_groups=spatial['deform_groups'])
            conv = build_conv_layer(
                cfg, width, out_channels, size, bias=False, **options
            )
            self.add_module(f'norm{number}', build_norm_layer(norm_cfg, width)[1])
            self.add_module(f'conv{number}', conv)
            width = out_channels
        self.num_layers = len(layers)
        self.shortcut = None
        if has_shortcut:
            self.shortcut = nn.Conv2d(in_channels, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the unit's output; a convolved shortcut begins behind norm1."""
        branch = identity = x
        for number in range(1, self.num_layers + 1):
            branch = functional.relu(getattr(self, f'norm{number}')(branch))
            if number == 1 and self.shortcut is not None:
                identity = self.shortcut(branch)
            branch = getattr(self, f'conv{number}')(branch)
        return branch + identity


@MODELS.register_module()
class PreActResNet(BaseModule):
    """A pre-activation ResNet, a backbone for mmdet, mmseg and mmpretrain.

    In a config::

        backbone=dict(
            type='mmdetxfer.PreActResNet',
            depth=101,
            out_indices=(2, 3),
            strides=(1, 2, 2, 1),
            dilations=(1, 1, 1, 2),
            frozen_stages=1,
            deform_groups=4,
        )

    Args:
        depth: 18, 34, 50, 101 or 152; 18 and 34 have units of two convolutions.
        base_channels: Of the stem.
        out_indices: Stages whose maps are returned, from 0.
        strides: Of the four stages.
        dilations: Of their 3x3 convolutions.
        deform_groups: Makes the last stage's 3x3 deformable; None leaves them plain.
        frozen_stages: Stem and so many stages keep their weights and use the
            statistics that they have; 0: the stem, -1: nothing.
        norm_cfg: Of all normalisations.
        norm_eval: Whether all normalisations use the statistics that they have.
        has_final_norm: Whether the last stage's map is normalised and rectified.
        init_cfg: How weights begin; Kaiming by default.
    """

    ARCHITECTURES = {
        18: (1, (2, 2, 2, 2)),
        34: (1, (3, 4, 6, 3)),
        50: (4, (3, 4, 6, 3)),
        101: (4, (3, 4, 23, 3)),
        152: (4, (3, 8, 36, 3)),
    }

    def __init__(
        self,
        depth: int,
        base_channels: int = 64,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        deform_groups: int | None = None,
        frozen_stages: int = -1,
        norm_cfg: dict = _NORM,
        norm_eval: bool = False,
        has_final_norm: bool = False,
        init_cfg: Any = None,
    ) -> None:
        """Make the stages."""
        kaiming = dict(type='Kaiming', layer='Conv2d')
        super().__init__(init_cfg or kaiming)
        if depth not in self.ARCHITECTURES:
            raise ValueError(
                f'depth: expected one of {list(self.ARCHITECTURES)}, got {depth}'
            )
        expansion, num_units = self.ARCHITECTURES[depth]
        if deform_groups is not None and expansion == 1:
            raise ValueError(
                'deform_groups: expected bottleneck units (depth 50 or more) for '
                f'deformable convolutions, got depth {depth}'
            )
        if not -1 <= frozen_stages <= 4 or not set(out_indices) <= set(range(4)):
            raise ValueError(
                'expected frozen_stages from -1 to 4 and out_indices from 0 to 3, got '
                f'{frozen_stages} and {tuple(out_indices)}'
            )
        self.out_indices, self.frozen_stages = tuple(out_indices), frozen_stages
        self.norm_eval = norm_eval
        self.input_norm = build_norm_layer(norm_cfg, 3)[1]
        self.conv0 = nn.Conv2d(3, base_channels, 7, 2, 3, bias=False)
        self.norm0 = build_norm_layer(norm_cfg, base_channels)[1]
        self.pool = nn.MaxPool2d(3, 2, 1)
        width = base_channels
        for stage in range(4):
            channels = base_channels * 2**stage
            spatial = dict(dilation=dilations[stage])
            spatial['deform_groups'] = deform_groups if stage == 3 else None
            # mmengine's, whose parts initialise themselves: offsets begin at zero.
            units = Sequential()
            for number in range(num_units[stage]):
                spatial['stride'] = strides[stage] if number == 0 else 1
                # The first of each stage has one, also where nothing changes.
                shape = (width, channels, expansion)
                units.append(PreActUnit(*shape, spatial, norm_cfg, number == 0))
                width = channels * expansion
            self.add_module(f'stage{stage + 1}', units)
        self.final_norm = None
        if has_final_norm:
            self.final_norm = build_norm_layer(norm_cfg, width)[1]
        self._freeze()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of the stages that are asked for."""
        x = functional.relu(self.norm0(self.conv0(self.input_norm(x))))
        x = self.pool(x)
        maps = []
        for stage in range(4):
            x = getattr(self, f'stage{stage + 1}')(x)
            if stage == 3 and self.final_norm is not None:
                x = functional.relu(self.final_norm(x))
            if stage in self.out_indices:
                maps.append(x)
        return tuple(maps)

    def train(self, mode: bool = True) -> 'PreActResNet':
        """Set the mode; what is frozen stays as it is."""
        super().train(mode)
        # MXNet's has no scale, and SNIPER never trains it.
        self.input_norm.eval()
        self._freeze()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        for parameter in self.input_norm.parameters():
            parameter.requires_grad = False
        frozen = [self.conv0, self.norm0] if self.frozen_stages >= 0 else []
        names = [f'stage{k + 1}' for k in range(self.frozen_stages)]
        for part in (*frozen, *(getattr(self, name) for name in names)):
            part.eval()
            for parameter in part.parameters():
                parameter.requires_grad = False
