"""ChipPlan: factors of scales, what is in proportion to the chip, what is no plan."""

import pytest

from mmdetxfer.chips import ChipPlan

RANGES = ((-1, 80), (32, 150), (120, -1))
SCALES = ((1400, 2000), (800, 1280), (-1, 512))


def test_the_factors_of_voc_images():
    """500x375: 1400/375 = 3.7333 (longer side 1867), 800/375 = 2.1333, 512/500 = 1.024.

    600x300: 1400/300 would make 2800 of the longer side, so 2000/600 = 3.3333; 800/300
    would make 1600, so 1280/600 = 2.1333; 512/600 = 0.8533. Upright is the same.
    """
    found = ChipPlan(SCALES, RANGES).factors([500, 600, 300], [375, 300, 600])
    assert found[0] == pytest.approx([1400 / 375, 800 / 375, 512 / 500])
    assert found[1] == pytest.approx([2000 / 600, 1280 / 600, 512 / 600])
    assert found[2].tolist() == found[1].tolist()


def test_a_longer_side_is_rounded_before_it_is_compared_with_its_limit():
    """1333.4 rounds to 1333 and is within the limit: 800/300 of 500.02 would not be."""
    plan = ChipPlan(((800, 1333),), ((-1, -1),))
    # 3 * 800 / 4.8 = 500: 800 / 480 * 800 = 1333.33 rounds to 1333, which is no excess.
    assert plan.factors([800], [480])[0, 0] == 800 / 480
    # 800 / 479 * 800 = 1336 is.
    assert plan.factors([800], [479])[0, 0] == 1333 / 800


def test_a_pair_without_a_limit_and_a_factor():
    plan = ChipPlan((3.0, (800, -1)), ((-1, 80), (32, -1)))
    assert plan.factors([2000], [100]).tolist() == [[3.0, 8.0]]


def test_the_defaults_are_in_proportion_to_the_chip():
    """A quarter of 512, of strides 56 to 59 (14 to 14.75) and of boxes of 10 px."""
    original = ChipPlan(SCALES, RANGES)
    assert original.stride_range_px == (56, 59) and original.min_box_px == 10
    quarter = ChipPlan(SCALES, RANGES, chip_px=128)
    assert quarter.stride_range_px == (14, 15) and quarter.min_box_px == 2.5
    assert quarter.test_ranges == quarter.valid_ranges
    stated = dict(stride_range_px=(20, 30), min_box_px=4, test_ranges=RANGES)
    own = ChipPlan(SCALES, ((0, 9),) * 3, chip_px=128, **stated)
    assert (own.stride_range_px, own.min_box_px) == ((20, 30), 4)
    assert own.test_ranges == RANGES


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(chip_px=7), 'chip_px: expected pixels, 8 or more, got 7'),
        (dict(chip_px=512.0), 'chip_px: expected pixels, 8 or more, got 512.0'),
        (dict(scales=()), 'scales: expected at least one'),
        (dict(scales=(512,)), r'scales: expected a pair .* got 512'),
        (dict(scales=((-1, -1),)), r'scales: expected a pair .*got \(-1, -1\)'),
        (dict(scales=((0, 100),)), r'scales: expected a pair .*got \(0, 100\)'),
        (dict(scales=(-2.0,)), r'scales: expected a pair .*got -2.0'),
        (
            dict(valid_ranges=RANGES[:2]),
            '3 scales, 2 valid_ranges, 2 test_ranges and 2 p',
        ),
        (
            dict(test_ranges=RANGES[:1]),
            '3 scales, 3 valid_ranges, 1 test_ranges and 3 p',
        ),
        (dict(proposal_ranges=RANGES[:1]), '3 test_ranges and 1 proposal_ranges'),
        (dict(valid_ranges=((80, 32),) * 3), r'valid_ranges: expected pairs .*\(80, 3'),
        (dict(test_ranges=(5, 6, 7)), 'test_ranges: expected pairs .* got 5'),
        (dict(stride_range_px=(0, 5)), r'stride_range_px: .* got \(0, 5\)'),
        (dict(stride_range_px=(9, 5)), r'stride_range_px: .* got \(9, 5\)'),
        (dict(stride_range_px=(9, 512)), r'below the chip of 512 px, got \(9, 512\)'),
    ],
)
def test_what_is_no_plan_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ChipPlan(**{'scales': SCALES, 'valid_ranges': RANGES, **changes})
