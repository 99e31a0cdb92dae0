"""What a plan does to a data set, counted by hand on a handful of boxes."""

import numpy as np
import pytest

from mmdetxfer.chips import IGNORED, TRUTH, BoxTable, ChipPlan, plan_epoch
from mmdetxfer.chips.report import chip_report, size_bins, suggested_plan

# Two images of 200 x 100 with squares of 10, 40 and 90 px, and one of 10 in the second.
SQUARES = [(10, 10, 10), (60, 20, 40), (105, 5, 90), (10, 10, 10)]
TABLE = BoxTable(
    widths=[200, 200],
    heights=[100, 100],
    keys=[1, 2],
    offsets=[0, 3, 4],
    boxes=[(x, y, x + side, y + side) for x, y, side in SQUARES],
    kinds=[TRUTH] * 4,
)
# Squares up to 20 px at twice the size, from 60 px on at half of it; 40 px nowhere.
PLAN = ChipPlan((2.0, (-1, 100)), ((-1, 20), (60, -1)), chip_px=100)


def test_boxes_between_the_ranges_are_valid_in_no_chip():
    bins = size_bins(TABLE, plan_epoch(TABLE, PLAN, 0, 0), edges_px=(0, 10, 40, 41))
    counted = [(b.low_px, b.num_boxes, b.num_never_valid) for b in bins]
    assert counted == [(0, 0, 0), (10, 2, 0), (40, 1, 1), (41, 1, 0)]


def test_ignored_boxes_are_not_counted():
    kinds = [IGNORED, TRUTH, TRUTH, TRUTH]
    columns = (TABLE.widths, TABLE.heights, TABLE.keys, TABLE.offsets, TABLE.boxes)
    table = BoxTable(*columns, kinds)
    bins = size_bins(table, plan_epoch(table, PLAN, 0, 0), edges_px=(0, 20))
    assert [b.num_boxes for b in bins] == [1, 2]


def test_chips_and_pixels_are_counted_for_an_image():
    """Fine: a chip for each small square, of 100 x 100 px or with a side of 101, which
    is cut off; coarse: image 1 alone, 100 x 50 px. So 1.5 chips an image.

    Whole images: 400 x 200 and 100 x 50 px are 0.085 megapixels; at 800 x 1333 the
    factor is 1333 / 200 (800 / 100 would be too long): 1333 x 666.5 px.
    """
    found = chip_report(TABLE, PLAN, plan_epoch(TABLE, PLAN, 0, 0))
    assert (found.num_images, found.num_chips) == (2, 6)
    assert found.chips_per_image == (1.0, 0.5)
    assert found.megapixels_chips == pytest.approx((2 * 1e4 + 5e3) / 2 / 1e6)
    assert found.megapixels_pyramid == pytest.approx(0.085)
    assert found.megapixels_reference == pytest.approx(1333 * 666.5 / 1e6)
    assert sum(b.num_boxes for b in found.sizes) == 4
    assert found.sizes[-1].high_px is None


def squares_in(sides, image=(500, 375)):
    boxes = np.array([(0, 0, side, side) for side in sides], float).reshape(-1, 4)
    table = [[image[0]], [image[1]], [1], [0, len(boxes)], boxes, [TRUTH] * len(boxes)]
    return BoxTable(*table)


def test_the_suggestion_enlarges_small_boxes_and_leaves_no_size_out():
    """5 % are 16 px, which 32 / 16 = 2 brings to the smallest anchor; the whole image
    of 500 px at 1.024 is more than a third of that: no middle scale. Highest size at
    the finest: 299 / 2 = 150; lowest at the coarsest: 123 / 1.024 = 120."""
    plan = suggested_plan(squares_in([16] * 8 + list(range(20, 400, 4))), 512)
    assert plan.scales == (2.0, (-1, 512))
    assert plan.valid_ranges == ((-1, 150), (120, -1))


def test_scales_that_are_far_apart_get_a_middle_one():
    """8 px would be enlarged 4 times, the limit; 1.024 is less than a third of it, so
    sqrt(4 * 1.024) = 2.02 stands between: 68 / 2.02 = 34 to 320 / 2.02 = 158."""
    plan = suggested_plan(squares_in([8] * 8 + list(range(20, 400, 4))), 512)
    assert plan.scales == (4.0, 2.02, (-1, 512))
    assert plan.valid_ranges == ((-1, 75), (34, 158), (120, -1))


def test_large_boxes_alone_need_one_scale():
    plan = suggested_plan(squares_in([200, 250, 300]), 512)
    assert plan.scales == ((-1, 512),) and plan.valid_ranges == ((-1, -1),)


@pytest.mark.parametrize('smallest', [4, 9, 14, 20, 30])
@pytest.mark.parametrize('image', [(500, 375), (6000, 4000), (128, 96)])
@pytest.mark.parametrize('chip_px', [128, 512])
def test_no_size_falls_between_two_suggested_ranges(smallest, image, chip_px):
    sides = np.geomspace(smallest, max(image), 60)
    plan = suggested_plan(squares_in(sides, image), chip_px)
    for (_, high), (low, _) in zip(
        plan.valid_ranges[:-1], plan.valid_ranges[1:], strict=True
    ):
        assert low <= high


def test_without_boxes_there_is_nothing_to_suggest():
    with pytest.raises(ValueError, match='expected true boxes .* got none'):
        suggested_plan(squares_in([]), 512)
