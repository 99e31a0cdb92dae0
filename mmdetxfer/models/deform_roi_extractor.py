"""Deformable RoI pooling as SNIPER's: bins move by offsets that one layer predicts.

mmcv's operation runs on GPUs alone; without one ``RoIAlign`` is named in the config,
and nothing is replaced in silence.
"""

from typing import Any

import torch
from mmcv.ops import DeformRoIPool
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn

from mmdetxfer.errors import UserError
from mmdetxfer.registry import MODELS


class OffsetRoIPool(DeformRoIPool):
    """Pools, predicts an offset for each bin from what it pooled, pools again."""

    def __init__(self, output_size: int, in_channels: int, **kwargs: Any) -> None:
        super().__init__(output_size, **kwargs)
        height, width = self.output_size
        self.offset_fc = nn.Linear(height * width * in_channels, height * width * 2)
        nn.init.zeros_(self.offset_fc.weight)
        nn.init.zeros_(self.offset_fc.bias)

    def forward(self, maps: Tensor, rois: Tensor) -> Tensor:
        """Return (R, C, height, width) features of R regions."""
        pooled = super().forward(maps, rois)
        offsets = self.offset_fc(pooled.flatten(1))
        return super().forward(
            maps, rois, offsets.view(len(rois), 2, *pooled.shape[2:])
        )


@MODELS.register_module()
class DeformRoIExtractor(SingleRoIExtractor):
    """``SingleRoIExtractor`` with deformable pooling, for one map.

    In a config::

        bbox_roi_extractor=dict(
            _delete_=True,
            type='mmdetxfer.DeformRoIExtractor',
            out_channels=256,
            featmap_strides=[16],
        )

    The original trains the offsets' layer a hundred times slower: in ``paramwise_cfg``,
    ``custom_keys={'offset_fc': dict(lr_mult=0.01)}``.

    Args:
        out_channels: Of the map.
        featmap_strides: Its stride, alone in a list.
        output_size: Bins a side.
        sampling_ratio: Samples a bin and side.
        gamma: An offset of 1 moves a bin by this share of the region.
    """

    def __init__(
        self,
        out_channels: int,
        featmap_strides: list[int],
        output_size: int = 7,
        sampling_ratio: int = 4,
        gamma: float = 0.1,
        **kwargs: Any,
    ) -> None:
        """Make the layer."""
        if len(featmap_strides) != 1:
            raise ValueError(
                f'featmap_strides: expected one map, got {list(featmap_strides)}'
            )
        layer = dict(
            output_size=output_size,
            in_channels=out_channels,
            sampling_ratio=sampling_ratio,
            gamma=gamma,
        )
        super().__init__(layer, out_channels, featmap_strides, **kwargs)

    def build_roi_layers(
        self, layer_cfg: dict, featmap_strides: list[int]
    ) -> nn.ModuleList:
        """Return the layer, which is not one of mmcv's."""
        scale = 1 / featmap_strides[0]
        return nn.ModuleList([OffsetRoIPool(spatial_scale=scale, **layer_cfg)])

    def forward(
        self, feats: tuple[Tensor, ...], rois: Tensor, roi_scale_factor: Any = None
    ) -> Tensor:
        """Return features of regions."""
        if feats[0].device.type == 'cpu':
            raise UserError(
                'DeformRoIExtractor: deformable RoI pooling runs on a GPU only; '
                'without one set bbox_roi_extractor to SingleRoIExtractor with RoIAlign'
            )
        # mmcv's kernel takes no half precision beside 32-bit regions.
        with torch.autocast('cuda', enabled=False):
            return super().forward((feats[0].float(),), rois, roi_scale_factor)
