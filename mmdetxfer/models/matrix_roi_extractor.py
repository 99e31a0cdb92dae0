"""RoIAlign whose gradient is matrix products on a CPU: what trains there needs minutes.

mmcv's CPU kernel adds up the gradient one sample after the other, a third of all time
of training the narrow detectors of the embedded world. RoIAlign is linear in the map,
and its samples lie on a grid, so that the gradient of a region is ``Y' G X``: Y and X
hold, for each bin, the weights of rows and columns. What comes forward is mmcv's own,
and on a GPU all of it.
"""

from typing import Any

import torch
from mmcv.ops import RoIAlign
from mmcv.ops.roi_align import RoIAlignFunction
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn

from mmdetxfer.registry import MODELS


def bin_weights(
    starts: Tensor, ends: Tensor, num_bins: int, size: int, sampling_ratio: int
) -> Tensor:
    """Return the weight of each row in each bin of regions: (R, bins, size).

    Args:
        starts: Of regions, in pixels of the map, whose first has its centre at 0.
        ends: Of regions.
        num_bins: Of equal length.
        size: Rows of the map.
        sampling_ratio: Samples a bin; 0: one a pixel, at least.
    """
    lengths = (ends - starts) / num_bins
    samples = torch.full_like(lengths, sampling_ratio)
    if sampling_ratio == 0:
        samples = lengths.ceil()
    numbers = torch.arange(max(int(samples.max()), 1), dtype=starts.dtype)
    within = (numbers + 0.5) / samples.clamp(min=1)[:, None]
    bins = torch.arange(num_bins, dtype=starts.dtype)
    places = bins[:, None] + within[:, None, :]
    at = starts[:, None, None] + lengths[:, None, None] * places
    # Samples more than a pixel outside are 0, others take the border's value.
    counts = (numbers < samples[:, None])[:, None, :] & (at >= -1) & (at <= size)
    distances = at.clamp(0, size - 1)[..., None] - torch.arange(size, dtype=at.dtype)
    weights = (1 - distances.abs()).clamp(min=0) * counts[..., None]
    return weights.sum(2) / samples.clamp(min=1)[:, None, None]


# An operation of its own, so that what counts multiply-adds counts the same as where
# mmcv's kernel runs: nothing.
@torch.library.custom_op('mmdetxfer::roi_align_gradient', mutates_args=())
def roi_align_gradient(
    gradient: Tensor,
    rois: Tensor,
    shape: list[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Return the gradient of the maps.

    Args:
        gradient: Of what was pooled, (R, C, bins, bins).
        rois: (R, 5): number of the map, and corners in pixels of the image.
        shape: Of the maps: N, C, H, W.
        spatial_scale: Of the map to the image.
        sampling_ratio: Samples a bin and side; 0: one a pixel, at least.
        aligned: Whether pixels have their centres at halves.
    """
    (number, channels, height, width), bins = shape, gradient.shape[2:]
    if not len(rois):
        return gradient.new_zeros(shape)
    corners = rois[:, 1:] * spatial_scale - 0.5 * aligned
    left, top, right, bottom = corners.unbind(1)
    if not aligned:
        right, bottom = torch.max(right, left + 1), torch.max(bottom, top + 1)
    rows = bin_weights(top, bottom, bins[0], height, sampling_ratio)
    columns = bin_weights(left, right, bins[1], width, sampling_ratio)
    found = gradient.new_zeros(number, height, width * channels)
    for place in range(number):
        own = (rois[:, 0] == place).nonzero().flatten()
        # (r, x, y C) of each region along its columns, then all along their rows.
        along = gradient[own].permute(0, 3, 2, 1).flatten(2)
        along = torch.bmm(columns[own].transpose(1, 2), along)
        along = along.view(len(own), width, bins[0], channels).transpose(1, 2)
        along = along.reshape(len(own) * bins[0], width * channels)
        torch.mm(rows[own].flatten(0, 1).t(), along, out=found[place])
    found = found.view(number, height, width, channels)
    return found.permute(0, 3, 1, 2).contiguous()


class _Function(RoIAlignFunction):
    """mmcv's, with another gradient where there is no kernel of a GPU."""

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple:
        if gradient.device.type != 'cpu':
            return RoIAlignFunction.backward(ctx, gradient)
        found = roi_align_gradient(
            gradient,
            ctx.saved_tensors[0],
            list(ctx.input_shape),
            ctx.spatial_scale,
            ctx.sampling_ratio,
            ctx.aligned,
        )
        return found, *[None] * 6


class MatrixRoIAlign(RoIAlign):
    """``RoIAlign`` with averages, as everywhere, and the gradient above."""

    def forward(self, maps: Tensor, rois: Tensor) -> Tensor:
        """Return (R, C, height, width) features of R regions."""
        if self.pool_mode != 'avg' or self.use_torchvision:
            return super().forward(maps, rois)
        return _Function.apply(
            maps,
            rois,
            self.output_size,
            self.spatial_scale,
            self.sampling_ratio,
            self.pool_mode,
            self.aligned,
        )


@MODELS.register_module()
class MatrixRoIExtractor(SingleRoIExtractor):
    """``SingleRoIExtractor`` that trains faster on a CPU.

    In a config: ``bbox_roi_extractor=dict(type='mmdetxfer.MatrixRoIExtractor', ...)``
    with the arguments of ``SingleRoIExtractor``; what it pools by must be ``RoIAlign``.
    """

    def build_roi_layers(
        self, layer_cfg: dict, featmap_strides: list[int]
    ) -> nn.ModuleList:
        """Return a layer for each map."""
        if layer_cfg.get('type') != 'RoIAlign':
            raise ValueError(
                'MatrixRoIExtractor: expected a roi_layer of type RoIAlign, got '
                f'{layer_cfg.get("type")}; take SingleRoIExtractor for it'
            )
        return super().build_roi_layers(
            {**layer_cfg, 'type': MatrixRoIAlign}, featmap_strides
        )
