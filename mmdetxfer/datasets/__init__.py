"""Data sets: what the hosts' are wrapped in, chips cut out of them, and their audit."""

from mmdetxfer.datasets.caltech256_dataset import Caltech256Dataset
from mmdetxfer.datasets.chip_dataset import ChipDataset
from mmdetxfer.datasets.chip_sampler import ChipIndex, ChipSampler
from mmdetxfer.datasets.columnar_open_images_dataset import ColumnarOpenImagesDataset
from mmdetxfer.datasets.guarded_dataset import (
    GuardedDataset,
    UnreadableImageError,
    guarded,
)
from mmdetxfer.datasets.image_net_loc_dataset import ImageNetLocDataset
from mmdetxfer.datasets.share_dataset import ShareDataset
from mmdetxfer.datasets.subset_dataset import SubsetDataset
from mmdetxfer.datasets.whole_dataset import WholeDataset

__all__ = [
    'Caltech256Dataset',
    'ChipDataset',
    'ChipIndex',
    'ChipSampler',
    'ColumnarOpenImagesDataset',
    'GuardedDataset',
    'ImageNetLocDataset',
    'ShareDataset',
    'SubsetDataset',
    'UnreadableImageError',
    'WholeDataset',
    'guarded',
]
