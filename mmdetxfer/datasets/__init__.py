"""Data sets: what the hosts' are wrapped in, and their audit."""

from mmdetxfer.datasets.guarded_dataset import (
    GuardedDataset,
    UnreadableImageError,
    guarded,
)

__all__ = ['GuardedDataset', 'UnreadableImageError', 'guarded']
