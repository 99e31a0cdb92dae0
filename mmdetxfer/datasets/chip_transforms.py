"""Transforms of chips: crop first, resize what is left, and sort the boxes.

A box of a chip is in one of three states: valid (trained here), visible but not valid
(of another size, or trained in another chip), or ignored (difficult, crowd, group-of).
mmdet knows the first and the last. The second is neither background nor, for the region
proposals, an object to find, but the second stage learns its class.
"""

from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures.bbox import HorizontalBoxes
from mmengine import fileio

from mmdetxfer.chips.crop import (
    IGNORED,
    NOT_VALID,
    box_states,
    boxes_in_chip,
    chip_meta,
    crop_window,
    largest_divisor,
)
from mmdetxfer.chips.plan import ChipPlan
from mmdetxfer.chips.tables import Chip
from mmdetxfer.datasets.guarded_dataset import UnreadableImageError
from mmdetxfer.datasets.image_files import judge_image
from mmdetxfer.errors import UserError
from mmdetxfer.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadChipImage(LoadImageFromFile):
    """``LoadImageFromFile`` that may decode a JPEG at a part of its size.

    For a chip at a factor of a half or less, JPEG files can be decoded at a half, a
    quarter or an eighth at once, which is faster and changes pixels a little (averages
    of a block instead of bilinear samples of it). It is off for the reference recipe.

    In a config, in place of ``LoadImageFromFile``: ``dict(type=
    'mmdetxfer.LoadChipImage', reduced_decoding=True)``.

    Args:
        reduced_decoding: Whether to decode so.
        **kwargs: Of ``LoadImageFromFile``.
    """

    _FLAGS = {
        8: cv2.IMREAD_REDUCED_COLOR_8,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        2: cv2.IMREAD_REDUCED_COLOR_2,
    }

    def __init__(self, *args: Any, reduced_decoding: bool = False, **kwargs: Any):
        """Take the switch."""
        super().__init__(*args, **kwargs)
        self.reduced_decoding = reduced_decoding
        options = (self.color_type, self.imdecode_backend)
        if reduced_decoding and options != ('color', 'cv2'):
            raise ValueError(
                "reduced_decoding: expected color_type 'color' and imdecode_backend "
                f"'cv2', got {options}"
            )

    def transform(self, results: dict) -> dict | None:
        """Load the image; note by how much it was reduced."""
        path, size = results['img_path'], (results.get('height'), results.get('width'))
        divisor = largest_divisor(results['chip'].factor)
        is_jpeg = str(path).lower().endswith(('.jpg', '.jpeg'))
        if not (self.reduced_decoding and is_jpeg and divisor > 1 and all(size)):
            return super().transform(results)
        try:
            content = np.frombuffer(fileio.get(path, self.backend_args), np.uint8)
            image = cv2.imdecode(content, self._FLAGS[divisor])
        except (OSError, cv2.error):
            image = None
        if image is None:
            problem = judge_image(path).problem or 'it cannot be decoded'
            raise UnreadableImageError.of(path, problem)
        if image.shape[:2] != tuple(-(-side // divisor) for side in size):
            # The annotation is wrong about the size; the whole image says it itself.
            return super().transform(results)
        image = image.astype(np.float32) if self.to_float32 else image
        results['img'], results['decoded_divisor'] = image, divisor
        results['img_shape'] = results['ori_shape'] = size
        return results


@TRANSFORMS.register_module()
class CropToChip(BaseTransform):
    """Cuts the chip out of the image and resizes it.

    The crop begins and ends at whole pixels of the original image, cut towards 0, as in
    SNIPER's code; with it the last row and column of a chip are left out. A plan with
    ``as_original=False`` keeps them. The picture is as large as its content; the
    model's preprocessor fills it up (``pad_size_divisor`` = the chip).

    Boxes are moved, scaled, rounded to whole pixels (not with ``as_original=False``)
    and clipped to the chip; those whose side is then under the plan's ``min_box_px``
    are left out, masks too.

    In a config: ``dict(type='mmdetxfer.CropToChip')``, behind the loading of image and
    annotations, in the pipeline of a ``ChipDataset``.
    """

    def transform(self, results: dict) -> dict:
        """Crop, resize, and sort the boxes into their states."""
        chip, plan = results['chip'], results['chip_plan']
        divisor = results.pop('decoded_divisor', 1)
        height, width = results['ori_shape' if divisor > 1 else 'img_shape']
        window = crop_window(chip, plan, width, height)
        results['img'] = _cut_out(results['img'], window, chip, plan, divisor)
        if 'gt_bboxes' in results:
            self._sort_boxes(results, width, window)
        # Anchors over the filling are background, as in the original.
        results['img_shape'] = (plan.chip_px, plan.chip_px)
        results['scale_factor'] = (chip.factor, chip.factor)
        results['flip'] = chip.is_mirrored
        results['flip_direction'] = 'horizontal' if chip.is_mirrored else None
        results.update(chip_meta(chip, plan, width, height))
        return results

    def _sort_boxes(self, results: dict, width: int, window: tuple) -> None:
        chip, plan = results['chip'], results['chip_plan']
        boxes = results['gt_bboxes']
        boxes = getattr(boxes, 'tensor', boxes)
        boxes = np.asarray(boxes, dtype=np.float64).copy()
        if len(boxes) != len(results['instances']):
            raise UserError(
                f'{results.get("img_path")}: CropToChip expected all '
                f'{len(results["instances"])} boxes of the annotation, {len(boxes)} '
                'came; put transforms that drop boxes behind it'
            )
        end = 0 if results['has_inclusive_boxes'] else 1
        boxes[:, 2:] -= end
        inside, kept = boxes_in_chip(boxes, chip, plan, width)
        states = box_states(inside, kept, chip, results['gt_ignore_flags'])
        inside[:, 2:] += end
        corners = torch.from_numpy(inside[kept].astype(np.float32))
        results['gt_bboxes'] = HorizontalBoxes(corners)
        results['gt_ignore_flags'] = states[kept]
        results['gt_bboxes_labels'] = results['gt_bboxes_labels'][kept]
        if 'gt_masks' in results:
            masks = results['gt_masks'][np.flatnonzero(kept)].crop(np.array(window))
            masks = masks.flip() if chip.is_mirrored else masks
            height, width = results['img'].shape[:2]
            results['gt_masks'] = masks.resize((height, width))


def _cut_out(
    image: np.ndarray, window: tuple, chip: Chip, plan: ChipPlan, divisor: int
) -> np.ndarray:
    """Cut a window of the whole image out of one that is ``divisor`` times smaller."""
    x1, y1, x2, y2 = window
    sides = tuple(max(round(side * chip.factor), 1) for side in (x2 - x1, y2 - y1))
    if divisor > 1:
        x1, y1 = x1 // divisor, y1 // divisor
        x2, y2 = max(-(-x2 // divisor), x1 + 1), max(-(-y2 // divisor), y1 + 1)
    crop = image[y1:y2, x1:x2]
    crop = crop[:, ::-1] if chip.is_mirrored else crop
    if divisor == 1 and min(sides) > 1:
        factors = dict(fx=chip.factor, fy=chip.factor)
        resized = cv2.resize(crop, None, **factors, interpolation=cv2.INTER_LINEAR)
    else:
        resized = cv2.resize(crop, sides, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized[: plan.chip_px, : plan.chip_px])


@TRANSFORMS.register_module()
class PackChipInputs(PackDetInputs):
    """``PackDetInputs`` that keeps visible boxes that are not valid in the chip.

    ``gt_instances`` are the valid ones. ``ignored_instances`` are all others, with
    their labels; its ``not_valid`` tells those that are merely not valid here from
    those that count nowhere. In a config: ``dict(type='mmdetxfer.PackChipInputs')``.
    """

    _META_KEYS = (
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'flip',
        'flip_direction',
        'chip_scale',
        'chip_extent',
        'valid_range_px',
    )

    def __init__(self, meta_keys: tuple[str, ...] = _META_KEYS) -> None:
        """Take the keys of what travels beside the image."""
        super().__init__(meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack; both kinds of boxes that are no targets go into one group."""
        if 'gt_ignore_flags' not in results:
            return super().transform(results)
        states = results['gt_ignore_flags']
        flags = np.minimum(states, IGNORED)
        packed = super().transform({**results, 'gt_ignore_flags': flags})
        not_valid = torch.from_numpy(states[flags == IGNORED] == NOT_VALID)
        packed['data_samples'].ignored_instances.not_valid = not_valid
        return packed
