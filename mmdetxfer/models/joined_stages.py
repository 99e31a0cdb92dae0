"""The features of SNIPER's detector: the last two stages side by side at one stride.

The backbone's last stage is dilated instead of strided, or brought to the stride of the
one before. Proposals see all channels; the second stage sees ``projection``, one 1x1
convolution with ReLU on the map before any RoI pooling (ConvProj), a named module that
probes and converters find.
"""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from mmdetxfer.registry import MODELS


@MODELS.register_module()
class JoinedStages(BaseModule):
    """Neck: joins the last two maps; adds a projection of them.

    In a config: ``neck=dict(type='mmdetxfer.JoinedStages', in_channels=[1024, 2048],
    out_channels=256)``, behind a backbone with two outputs. The second stage takes the
    first map, the projection; ``ChipRPNHead`` the last one, all channels.

    Args:
        in_channels: Of the last two stages.
        out_channels: Of the projection.
        init_cfg: How the projection starts.
    """

    def __init__(
        self,
        in_channels: list[int],
        out_channels: int = 256,
        init_cfg: dict | None = None,
    ) -> None:
        """Make the projection."""
        normal = dict(type='Normal', layer='Conv2d', std=0.01)
        super().__init__(init_cfg or normal)
        if len(in_channels) != 2:
            raise ValueError(
                'in_channels: expected those of the last two stages, got '
                f"{list(in_channels)}; set the backbone's out_indices to two stages"
            )
        self.projection = nn.Conv2d(sum(in_channels), out_channels, 1)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return the projection and the joined map."""
        fine, coarse = maps
        if coarse.shape[2:] != fine.shape[2:]:
            size = fine.shape[2:]
            coarse = functional.interpolate(coarse, size, mode='bilinear')
        together = torch.cat([fine, coarse], dim=1)
        return functional.relu(self.projection(together)), together
