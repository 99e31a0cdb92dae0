"""Transforms of segmentation tests: maps of objects, scores at the resized size."""

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmdetxfer.errors import UserError
from mmdetxfer.registry import TRANSFORMS


def read_labels(path: str | Path) -> np.ndarray:
    """Return (H, W) numbers of a palette or grey image."""
    try:
        with Image.open(path) as image:
            if image.mode not in ('P', 'L'):
                raise UserError(
                    f'{path}: expected a palette or grey image of labels, got the mode '
                    f'{image.mode}'
                )
            return np.asarray(image).copy()
    except OSError as error:
        raise UserError(
            f'{path}: expected a label map, it cannot be read ({error}); make it again'
        ) from error


@TRANSFORMS.register_module()
class LoadObjectMap(BaseTransform):
    """Loads VOC's SegmentationObject beside SegmentationClass, as ``object_map``.

    In a test pipeline of mmseg, before ``PackSegInputs``, whose ``meta_keys`` then name
    ``object_map`` too. The map has the size of the image on the disk.

    Args:
        folder: Folder name in the path of the labels.
        instead: Folder name of the objects, in its place.
    """

    def __init__(
        self, folder: str = 'SegmentationClass', instead: str = 'SegmentationObject'
    ) -> None:
        """Take the names."""
        self.folder, self.instead = folder, instead

    def transform(self, results: dict) -> dict:
        """Add ``object_map``, (H, W) uint8."""
        path = Path(results['seg_map_path'])
        parts = [self.instead if one == self.folder else one for one in path.parts]
        if self.folder not in path.parts:
            raise UserError(
                f'LoadObjectMap: expected labels in a folder {self.folder!r}, got '
                f'{path}'
            )
        found = Path(*parts)
        results['object_map'] = read_labels(found)
        return results


@TRANSFORMS.register_module()
class ScoreAtResizedSize(BaseTransform):
    """Lets mmseg score at the size of the resized image, as Deformable ConvNets did.

    It stands between ``Resize``, before which the labels are loaded, and
    ``PackSegInputs``: predictions are resized to what is then the original size.
    """

    def transform(self, results: dict) -> dict:
        """Call the resized shape the original one."""
        if results['gt_seg_map'].shape[:2] != tuple(results['img_shape'][:2]):
            raise UserError(
                'ScoreAtResizedSize: expected labels of the size of the resized image, '
                f'{tuple(results["img_shape"][:2])}, got '
                f'{results["gt_seg_map"].shape[:2]}; load annotations before Resize'
            )
        results['ori_shape'] = results['img_shape']
        return results
