"""Features of an image out of a layer's map."""

from torch import Tensor
from torch.nn import functional

WHOLE = 'whole'


def pooled(layer: Tensor, size: int | str = 1) -> Tensor:
    """Return (N, D) features.

    Args:
        layer: (N, C, H, W) maps, (N, C, L) tokens or (N, C) vectors, which stay.
        size: Maps become averages of so many by so many fields, 1 the mean of all;
            'whole' keeps every place. Tokens have both alone.
    """
    if layer.ndim == 2:
        return layer
    if size == WHOLE:
        return layer.flatten(1)
    if not isinstance(size, int) or size < 1:
        raise ValueError(
            f'pooling: expected a number from 1 or {WHOLE!r}, got {size!r}'
        )
    if size == 1:
        return layer.flatten(2).mean(2)
    if layer.ndim != 4 or min(layer.shape[2:]) < size:
        raise ValueError(
            f'pooling: expected a map of {size}x{size} or more, got a layer of '
            f'{tuple(layer.shape[1:])}'
        )
    return functional.adaptive_avg_pool2d(layer, size).flatten(1)
