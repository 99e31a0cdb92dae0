"""What a plan would do to a data set, before any training; and a plan to begin with.

Users of chips fail silently here: with ranges made for other data, many boxes are valid
in no chip. The suggestion is this package's own rule: it carries SNIPER's setting for
VOC, in shares of a chip, over to the sizes that the data have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdetxfer.chips.boxes import box_sizes
from mmdetxfer.chips.plan import ChipPlan
from mmdetxfer.chips.tables import TRUTH, BoxTable, ChipTable

# Roots of areas in original pixels between which boxes are counted.
SIZE_EDGES_PX = (0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
# The usual whole-image training that chips are compared with: shorter and longer side.
REFERENCE_SCALE = (800, 1333)
# SNIPER's ranges on VOC images (500 x 375, factors 3.73, 2.13 and 1.02), as shares of a
# chip of 512: 80 px at the finest scale are 299, and so on.
_HIGHEST_FINEST, _LOWEST_MIDDLE, _HIGHEST_MIDDLE = 299 / 512, 68 / 512, 320 / 512
_LOWEST_COARSEST = 123 / 512
_LARGEST_FACTOR = 4.0
# What a detector of stride 16 finds well: two of its cells, whatever the chip.
_SMALLEST_PX = 32


@dataclass(frozen=True)
class SizeBin:
    """Boxes of some sizes, and how many of them are valid in no chip.

    Args:
        low_px: Lowest root of the area, included.
        high_px: Highest, excluded; None: no limit.
        num_boxes: Boxes of these sizes.
        num_never_valid: Those that are valid in no chip of any scale.
    """

    low_px: float
    high_px: float | None
    num_boxes: int
    num_never_valid: int


@dataclass(frozen=True)
class ChipReport:
    """What an epoch of chips is made of.

    Args:
        num_images: Images, mirrored copies not counted.
        num_chips: Chips of an epoch, of mirrored copies too.
        chips_per_image: Chips of each scale for an image or its mirrored copy.
        megapixels_chips: Of the chips of an image.
        megapixels_pyramid: Of the whole image at all scales.
        megapixels_reference: Of the whole image at 800 x 1333.
        sizes: Boxes by size.
    """

    num_images: int
    num_chips: int
    chips_per_image: tuple[float, ...]
    megapixels_chips: float
    megapixels_pyramid: float
    megapixels_reference: float
    sizes: tuple[SizeBin, ...]


def chip_report(table: BoxTable, plan: ChipPlan, chips: ChipTable) -> ChipReport:
    """Describe the chips of an epoch of a data set.

    Args:
        table: The boxes.
        plan: The plan.
        chips: What ``plan_epoch`` made of both.
    """
    num_images = len(table)
    num_entries = num_images * (2 if plan.has_mirrored_copies else 1)
    sides = chips.corners[:, 2:] - chips.corners[:, :2] + 1
    sides = np.minimum(sides, plan.chip_px).astype(np.float64)
    factors = plan.factors(table.widths, table.heights)
    areas = table.widths.astype(np.float64) * table.heights
    whole = ChipPlan((REFERENCE_SCALE,), ((-1, -1),))
    reference = whole.factors(table.widths, table.heights)[:, 0]
    counts = np.bincount(chips.scale_indices, minlength=plan.num_scales)
    return ChipReport(
        num_images=num_images,
        num_chips=len(chips),
        chips_per_image=tuple((counts / num_entries).tolist()),
        megapixels_chips=float(sides.prod(1).sum()) / num_entries / 1e6,
        megapixels_pyramid=float((areas[:, None] * factors**2).sum(1).mean()) / 1e6,
        megapixels_reference=float((areas * reference**2).mean()) / 1e6,
        sizes=size_bins(table, chips),
    )


def size_bins(
    table: BoxTable, chips: ChipTable, edges_px: Sequence[float] = SIZE_EDGES_PX
) -> tuple[SizeBin, ...]:
    """Count true boxes by size, and those that are valid in no chip.

    A box counts as valid if it is in the image or in its mirrored copy.
    """
    is_valid = np.zeros(len(table.kinds), dtype=bool)
    counts = np.diff(chips.valid_offsets)
    images = np.repeat(chips.image_indices, counts)
    is_valid[table.offsets[images] + chips.valid_boxes] = True
    is_truth = table.kinds == TRUTH
    sizes = box_sizes(table.boxes.astype(np.float64))[0]
    bounds = [*edges_px, np.inf]
    found = []
    for low, high in zip(bounds[:-1], bounds[1:], strict=True):
        chosen = is_truth & (sizes >= low) & (sizes < high)
        missed = int((chosen & ~is_valid).sum())
        end = None if np.isinf(high) else high
        found.append(SizeBin(low, end, int(chosen.sum()), missed))
    return tuple(found)


def suggested_plan(table: BoxTable, chip_px: int) -> ChipPlan:
    """Return a plan of one to three scales for the sizes of a data set.

    The coarsest scale shows a whole image in one chip. The finest enlarges the smallest
    twentieth of the boxes to 32 pixels, four times at most; it is left out where that
    is nearly the coarsest. Between scales that are far apart stands a middle
    one.

    Args:
        table: The boxes.
        chip_px: Side of a chip.
    """
    sizes = box_sizes(table.boxes[table.kinds == TRUTH].astype(np.float64))[0]
    if len(sizes) == 0:
        raise ValueError('expected true boxes to suggest scales for, got none')
    longer = np.maximum(table.widths, table.heights)
    coarsest = chip_px / float(np.median(longer))
    smallest = max(float(np.quantile(sizes, 0.05)), 1.0)
    finest = min(_SMALLEST_PX / smallest, _LARGEST_FACTOR)
    low = round(_LOWEST_COARSEST * chip_px / coarsest)
    if finest < 1.5 * coarsest:
        return ChipPlan(((-1, chip_px),), ((-1, -1),), chip_px=chip_px)
    scales, ranges = (
        [round(finest, 2)],
        [(-1, round(_HIGHEST_FINEST * chip_px / finest))],
    )
    if finest > 3 * coarsest:
        middle = float(np.sqrt(finest * coarsest))
        scales.append(round(middle, 2))
        lowest = round(_LOWEST_MIDDLE * chip_px / middle)
        highest = round(_HIGHEST_MIDDLE * chip_px / middle)
        ranges.append((min(lowest, ranges[0][1]), highest))
    # No size may fall between two ranges.
    low = min(low, ranges[-1][1])
    return ChipPlan((*scales, (-1, chip_px)), (*ranges, (low, -1)), chip_px=chip_px)
