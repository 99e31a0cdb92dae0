"""The deformable convolution of SNIPER and of the first Deformable ConvNets.

Its offsets come from a 3x3 convolution that is not dilated, though it is; mmcv's own
pack dilates both. Offsets are 0 at first, so that it begins as a plain convolution.
"""

from typing import Any

from mmcv.ops import DeformConv2dPack
from torch import nn

from mmdetxfer.registry import MODELS


@MODELS.register_module()
class UndilatedOffsetDeformConv(DeformConv2dPack):
    """``DeformConv2dPack`` whose offset convolution has no dilation.

    In a config, for bottleneck blocks of any host's ResNet that takes ``dcn``::

        backbone=dict(
            dcn=dict(type='mmdetxfer.UndilatedOffsetDeformConv', deform_groups=4),
            stage_with_dcn=(False, False, False, True),
        )

    or ``deform_groups=4`` of ``mmdetxfer.PreActResNet``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Replace the offset convolution."""
        super().__init__(*args, **kwargs)
        self.conv_offset = nn.Conv2d(
            self.in_channels,
            self.conv_offset.out_channels,
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=tuple(size // 2 for size in self.kernel_size),
        )
        self.init_offset()

    def init_weights(self) -> None:
        """Set the offsets to 0 again, behind what the backbone does to all layers."""
        self.init_offset()
