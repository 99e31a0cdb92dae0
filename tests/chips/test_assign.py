"""Which boxes count at which scale, and in which chip: a case for each rule.

The plan is SNIPER's for COCO and VOC: ranges (-1, 80), (32, 150), (120, -1). The
stride is 56, so that the longest side at the finest scale (factor 3) is below
(512 - 57) / 3 = 151.67 and at the middle one (factor 2) below 227.5.
"""

import numpy as np
import pytest

from mmdetxfer.chips import ChipPlan, assign, driving_boxes, eligible_boxes

PLAN = ChipPlan((3.0, 2.0, (-1, 512)), ((-1, 80), (32, 150), (120, -1)))
STRICT = ChipPlan(PLAN.scales, PLAN.valid_ranges, as_original=False)
FINEST, MIDDLE, COARSEST = 0, 1, 2
FACTORS = (3.0, 2.0, 0.8)


def box(width: float, height: float) -> np.ndarray:
    return np.array([[10.0, 20.0, 10 + width, 20 + height]])


def drives(sides, scale, plan=PLAN) -> bool:
    return bool(driving_boxes(box(*sides), plan, scale, FACTORS[scale], 56)[0])


def is_eligible(sides, scale, plan=PLAN) -> bool:
    return bool(eligible_boxes(box(*sides), plan, scale, FACTORS[scale], 56)[0])


@pytest.mark.parametrize(
    ('sides', 'scale', 'expected'),
    [
        # Below 80, not at 80. Sides are cut to whole pixels without + 1: 79.9 is 79
        # (a + 1 would make 80.9, and out).
        ((79.9, 79.9), FINEST, True),
        ((80.0, 80.0), FINEST, False),
        # 40 x 158 is 79.5 in size, but longer than 151.67.
        ((40.0, 158.0), FINEST, False),
        ((40.0, 151.0), FINEST, True),
        # Cut to 151; as it is, 151.9 would be too long.
        ((40.0, 151.9), FINEST, True),
        # A side of 1.9 pixels is 1, and 2 are asked for.
        ((1.9, 30.0), FINEST, False),
        ((2.0, 2.0), FINEST, True),
        # From 32 on, below 150.
        ((32.0, 32.0), MIDDLE, True),
        ((31.9, 32.0), MIDDLE, False),
        ((149.0, 150.9), MIDDLE, True),
        ((150.0, 150.0), MIDDLE, False),
        ((50.0, 227.0), MIDDLE, True),
        ((50.0, 228.0), MIDDLE, False),
        # From 120 on, however large; no limit on sides.
        ((120.0, 120.0), COARSEST, True),
        ((119.0, 121.0), COARSEST, False),
        ((20.0, 900.0), COARSEST, True),
    ],
)
def test_which_boxes_drive_the_chips_of_a_scale(sides, scale, expected):
    assert drives(sides, scale) is expected


def test_the_middle_scale_has_a_lower_bound_for_driving_but_none_for_training():
    """The first oddity; with the bound, a box of 10 px is not trained there."""
    assert not drives((10.0, 10.0), MIDDLE) and is_eligible((10.0, 10.0), MIDDLE)
    assert not is_eligible((10.0, 10.0), MIDDLE, STRICT)
    assert is_eligible((32.0, 32.0), MIDDLE, STRICT)


def test_a_lower_bound_of_the_finest_scale_is_asked_for_only_without_the_oddities():
    ranges = ((20, 80), (32, 150), (120, -1))
    odd = ChipPlan(PLAN.scales, ranges)
    strict = ChipPlan(PLAN.scales, ranges, as_original=False)
    assert drives((10.0, 10.0), FINEST, odd)
    assert not drives((10.0, 10.0), FINEST, strict)


def test_a_single_scale_is_the_coarsest():
    """As for ImageNet-Loc: every box, also one longer than a chip."""
    plan = ChipPlan(((-1, 512),), ((-1, -1),))
    assert drives((1.0, 3.0), 0, plan) and drives((900.0, 900.0), 0, plan)


def test_a_scale_without_upper_bound_takes_what_fits():
    plan = ChipPlan((3.0, (-1, 512)), ((-1, -1), (120, -1)))
    assert drives((150.0, 150.0), 0, plan) and not drives((152.0, 152.0), 0, plan)


def test_a_stated_side_limit_sends_longer_boxes_to_the_coarsest_scale():
    """The OpenImages branch: size below 300 and sides below 450, or the coarse scale.

    20 x 450 is 94.9 in size: too long for the fine scale, too small for the coarse one.
    """
    ranges = ((-1, 300), (300, -1))
    plan = ChipPlan((1.0, (-1, 512)), ranges, side_limit_px=450)
    without = ChipPlan((1.0, (-1, 512)), ranges)
    long = box(20.0, 450.0)
    for plan_, fine, coarse in ((plan, False, True), (without, True, False)):
        found = [
            bool(driving_boxes(long, plan_, scale, factor, 52)[0])
            for scale, factor in ((0, 1.0), (1, 0.5))
        ]
        assert found == [fine, coarse]
    chip = np.array([[0.0, 0.0, 1023.0, 767.0]])
    assert assign(chip, long, plan, 1).tolist() == [0]
    assert assign(chip, long, without, 1).tolist() == [-1]


def chips(*corners):
    return np.array(corners, dtype=float)


def test_a_box_in_two_chips_is_valid_in_the_first_of_them_only():
    two = chips((0, 0, 170, 170), (5, 5, 175, 175))
    assert assign(two, box(30.0, 30.0), PLAN, FINEST).tolist() == [0]
    assert assign(two[::-1], box(30.0, 30.0), PLAN, FINEST).tolist() == [0]


def test_the_chip_with_the_larger_share_wins_whatever_their_order():
    """Box x 10..40: 21 of 31 columns in the first chip (to 30), all in the second."""
    two = chips((0, 0, 30, 170), (5, 5, 175, 175))
    assert assign(two, box(30.0, 30.0), PLAN, FINEST).tolist() == [1]
    # The share is of the box's own area: IoU would favour the small first chip.
    small = chips((9, 19, 40, 50), (0, 0, 500, 500))
    assert assign(small, box(31.0, 31.0), PLAN, FINEST).tolist() == [1]


def test_the_part_inside_must_be_a_pixel_wide_without_the_plus_one():
    """Box x 10..40, chip to 11: a part of 1; chip to 10.5: of 0.5 (1.5 with + 1)."""
    for end, expected in ((11, 0), (10.5, -1), (5, -1)):
        chip = chips((0, 0, end, 170))
        assert assign(chip, box(30.0, 30.0), PLAN, FINEST).tolist() == [expected]


def test_the_part_inside_must_be_in_range():
    """Coarsest: 130 x 130 cut to 65 x 130 has size 91.9, below 120.

    Finest: 100 x 100 would be out of range, but cut to 64 x 100 its size is 80, which
    is in for positive chips and out for negative ones.
    """
    chip = chips((0, 0, 75, 600))
    assert assign(chip, box(130.0, 130.0), PLAN, COARSEST).tolist() == [-1]
    assert assign(chips((0, 0, 600, 600)), box(130.0, 130.0), PLAN, COARSEST) == [0]
    chip = chips((0, 0, 74, 600))
    assert assign(chip, box(100.0, 100.0), PLAN, FINEST).tolist() == [0]
    assert assign(chip, box(100.0, 100.0), PLAN, FINEST, True).tolist() == [-1]
    assert assign(chips((0, 0, 75, 600)), box(100.0, 100.0), PLAN, FINEST) == [-1]
    free = ChipPlan((3.0, (-1, 512)), ((-1, -1), (120, -1)))
    assert assign(chips((0, 0, 75, 600)), box(100.0, 100.0), free, 0) == [0]


def test_without_chips_or_boxes_nothing_is_assigned():
    assert assign(chips().reshape(0, 4), box(9.0, 9.0), PLAN, FINEST).tolist() == [-1]
    none = assign(chips((0, 0, 9, 9)), np.zeros((0, 4)), PLAN, FINEST)
    assert none.tolist() == []
