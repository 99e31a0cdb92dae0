"""The columns of boxes and chips: what is refused, and how large they are."""

import numpy as np
import pytest

from mmdetxfer.chips import BoxTable, ChipPlan, plan_epoch

GOOD = dict(
    widths=[100, 50],
    heights=[80, 60],
    keys=[1, 2],
    offsets=[0, 1, 3],
    boxes=[[0, 0, 9, 9], [1, 1, 5, 5], [2, 2, 8, 8]],
    kinds=[0, 1, 2],
)


def test_columns_get_their_types_and_a_table_counts_its_images():
    table = BoxTable(**GOOD)
    assert len(table) == 2
    assert (table.boxes.dtype, table.keys.dtype) == (np.float32, np.uint64)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(heights=[80]), 'widths 2, heights 1, keys 2, offsets 3'),
        (dict(kinds=[0, 1]), r'boxes \(3, 4\), kinds 2'),
        (dict(offsets=[0, 1, 2]), 'offsets: expected to rise from 0 to 3 boxes, got 0'),
        (dict(offsets=[0, 4, 3]), 'smallest step -1'),
        (dict(widths=[100, 0]), 'image 1: expected a width and height .* got 0 x 60'),
        (
            dict(boxes=[[0, 0, 9, 9], [1, 1, 5, 5], [2, np.nan, 8, 8]]),
            r'image 1: box \[2.0, nan, 8.0, 8.0\] is not finite',
        ),
    ],
)
def test_columns_that_do_not_agree_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        BoxTable(**{**GOOD, **changes})


def test_a_chip_by_itself_says_what_its_row_says():
    table = BoxTable(**{**GOOD, 'kinds': [0, 0, 0]})
    chips = plan_epoch(table, ChipPlan(((-1, 512),), ((-1, -1),)), 0, 0)
    assert chips.image_indices.tolist() == [0, 1, 0, 1]
    second = chips.chip(1)
    # 512 / 60 = 8.533 makes 426 x 512 of 50 x 60.
    assert second[:5] == (1, False, 0, False, 512 / 60)
    assert second.corners == (0, 0, 425, 511)
    assert second.valid_boxes == (0, 1)
    assert chips.chip(3)[:2] == (1, True)


def test_an_epoch_of_openimages_takes_less_than_500_mb():
    """3.5 million chips with 14.6 million valid boxes, at a chip's and a box's size."""
    table = BoxTable(**{**GOOD, 'kinds': [0, 0, 0]})
    chips = plan_epoch(table, ChipPlan(((-1, 512),), ((-1, -1),)), 0, 0)
    per_box = chips.valid_boxes.itemsize
    per_chip = (chips.nbytes - chips.valid_boxes.nbytes - 8) / len(chips)
    assert 3.5e6 * per_chip + 14.6e6 * per_box < 500e6
