"""Which boxes drive the choice of chips, and which chip a box is trained in.

A box is trained in one chip of a scale at most: the one that holds the largest share of
it. Two chips that contain it both leave it valid in the first of them only.
"""

import numpy as np

from mmdetxfer.chips.boxes import box_sizes, overlap_over_own_area
from mmdetxfer.chips.plan import NO_BOUND, ChipPlan


def driving_boxes(
    boxes: np.ndarray, plan: ChipPlan, scale_index: int, factor: float, stride: int
) -> np.ndarray:
    """Return (N,) whether chips of a scale are cut to hold each box.

    Args:
        boxes: (N, 4) float64 inclusive corners in original pixels.
        plan: The plan.
        scale_index: Which of its scales.
        factor: That scale's factor for this image.
        stride: The epoch's stride.
    """
    eligible = eligible_boxes(boxes, plan, scale_index, factor, stride)
    if scale_index == 0 or plan.is_coarsest(scale_index):
        return eligible
    return eligible & (box_sizes(boxes)[0] >= plan.valid_ranges[scale_index][0])


def eligible_boxes(
    boxes: np.ndarray, plan: ChipPlan, scale_index: int, factor: float, stride: int
) -> np.ndarray:
    """Return (N,) whether each box may be trained in a chip of a scale.

    The arguments are those of :func:`driving_boxes`.
    """
    sizes, longer, shorter = box_sizes(boxes)
    low, high = plan.valid_ranges[scale_index]
    if plan.is_coarsest(scale_index):
        return (sizes >= low) | _is_too_long_elsewhere(boxes, plan)
    limit = plan.side_limit_px
    if limit is None:
        limit = (plan.chip_px - stride - 1) / factor
    is_small = sizes < high if high != NO_BOUND else np.ones(len(boxes), bool)
    fits = is_small & (longer < limit) & (shorter >= 2)
    return fits if plan.as_original else fits & (sizes >= low)


def assign(
    chips: np.ndarray,
    boxes: np.ndarray,
    plan: ChipPlan,
    scale_index: int,
    is_negative: bool = False,
) -> np.ndarray:
    """Return (N,) the chip in which each box is trained, -1 if in none.

    The part of a box inside its chip must be in the scale's valid range: at the
    coarsest above its lower bound, elsewhere below its upper one. Its sides have no
    + 1 here, and must be 1 at least.

    Args:
        chips: (C, 4) chips of one scale in original pixels, in the order of choice.
        boxes: (N, 4) eligible boxes in original pixels.
        plan: The plan.
        scale_index: Which of its scales.
        is_negative: Whether the chips are negative ones, where a part as large as the
            upper bound is out.
    """
    if len(chips) == 0 or len(boxes) == 0:
        return np.full(len(boxes), -1)
    best = overlap_over_own_area(chips, boxes).argmax(0)
    windows = chips[best]
    sides = np.minimum(windows[:, 2:], boxes[:, 2:])
    sides = sides - np.maximum(windows[:, :2], boxes[:, :2])
    sizes = np.sqrt(np.abs(sides[:, 0] * sides[:, 1]))
    low, high = plan.valid_ranges[scale_index]
    if plan.is_coarsest(scale_index):
        is_in_range = (sizes >= low) | _is_too_long_elsewhere(boxes, plan)
    elif high == NO_BOUND:
        is_in_range = np.ones(len(boxes), bool)
    else:
        is_in_range = sizes < high if is_negative else sizes <= high
    return np.where((sides >= 1).all(1) & is_in_range, best, -1)


def _is_too_long_elsewhere(boxes: np.ndarray, plan: ChipPlan) -> np.ndarray:
    """Return (N,) whether boxes are the coarsest scale's for their longer side."""
    if plan.side_limit_px is None:
        return np.zeros(len(boxes), bool)
    return box_sizes(boxes)[1] >= plan.side_limit_px
