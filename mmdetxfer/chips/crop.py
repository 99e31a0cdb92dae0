"""What a chip shows of its image: the window, the boxes in it, and their states.

The window begins and ends at whole pixels of the original image, cut towards 0, as in
SNIPER's code, and so loses its last row and column; a plan with ``as_original=False``
keeps them, and does not round boxes. The states are those of facts B7: a box is valid
(trained here), visible but not valid, or ignored everywhere.
"""

import numpy as np

from mmdetxfer.chips.boxes import clip_boxes, flip_boxes
from mmdetxfer.chips.plan import NO_BOUND, ChipPlan
from mmdetxfer.chips.tables import Chip

# States of a box in a chip.
VALID, IGNORED, NOT_VALID = 0, 1, 2


def crop_window(
    chip: Chip, plan: ChipPlan, width: int, height: int
) -> tuple[int, int, int, int]:
    """Return the (x1, y1, x2, y2) to cut, ends excluded, of the image as it lies."""
    corners = np.array(chip.corners) / chip.factor
    # An image that is smaller than its annotation says still gives a pixel.
    x1, y1 = min(int(corners[0]), width - 1), min(int(corners[1]), height - 1)
    if plan.as_original:
        x2, y2 = int(corners[2]), int(corners[3])
    else:
        x2, y2 = (round((side + 1) / chip.factor) for side in chip.corners[2:])
    x2, y2 = max(min(x2, width), x1 + 1), max(min(y2, height), y1 + 1)
    return (width - x2, y1, width - x1, y2) if chip.is_mirrored else (x1, y1, x2, y2)


def boxes_in_chip(
    boxes: np.ndarray, chip: Chip, plan: ChipPlan, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes in the chip's pixels, and which of them are large enough there.

    Args:
        boxes: (N, 4) inclusive corners in the image as it lies.
        chip: The chip.
        plan: The plan.
        width: Of the image.
    """
    boxes = flip_boxes(boxes, width) if chip.is_mirrored else boxes
    start = np.array(chip.corners[:2] * 2) / chip.factor
    moved = (boxes - start) * chip.factor
    if plan.as_original:
        moved = np.round(moved)
    last = plan.chip_px - 1
    size = np.array(chip.corners[2:]) - np.array(chip.corners[:2])
    meets = (moved[:, 2:] >= 0).all(1) & (moved[:, :2] <= size).all(1)
    inside = clip_boxes(moved, last, last)
    sides = inside[:, 2:] - inside[:, :2] + 1
    return inside, meets & (sides >= plan.min_box_px).all(1)


def box_states(
    inside: np.ndarray, kept: np.ndarray, chip: Chip, ignore_flags: np.ndarray
) -> np.ndarray:
    """Return (N,) VALID, IGNORED or NOT_VALID.

    What covers a valid box exactly, once both are clipped, is valid like it: SNIPER's
    code compares overlaps.
    """
    is_ignored = np.asarray(ignore_flags, dtype=bool)
    is_valid = np.zeros(len(inside), dtype=bool)
    is_valid[list(chip.valid_boxes)] = True
    is_valid &= kept & ~is_ignored
    twins = (inside[:, None] == inside[None, is_valid]).all(2).any(1)
    states = np.where(is_valid | (twins & kept), VALID, NOT_VALID)
    return np.where(is_ignored, IGNORED, states)


def chip_meta(chip: Chip, plan: ChipPlan, width: int, height: int) -> dict:
    """Return what training rules ask of a chip: sizes of proposals, extent in pixels.

    A missing bound is 0 or the chip's side. The extent is the chip, at the coarsest
    scale the scaled image.
    """
    low, high = plan.proposal_ranges[chip.scale_index]
    extent = (plan.chip_px, plan.chip_px)
    if plan.is_coarsest(chip.scale_index):
        extent = (int(height * chip.factor), int(width * chip.factor))
        high = NO_BOUND
    return {
        'chip_scale': chip.scale_index,
        'chip_extent': extent,
        'valid_range_px': (
            0.0 if low == NO_BOUND else low * chip.factor,
            float(plan.chip_px) if high == NO_BOUND else high * chip.factor,
        ),
    }


def largest_divisor(factor: float) -> int:
    """Return 8, 4 or 2 if an image may be decoded at that part of its size, else 1."""
    return next((part for part in (8, 4, 2) if factor <= 1 / part), 1)
