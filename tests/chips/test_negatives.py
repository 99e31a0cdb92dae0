"""Negative chips: cut for proposals that no positive chip takes."""

import numpy as np

from mmdetxfer.chips import PROPOSAL, TRUTH, BoxTable, ChipPlan, plan_epoch
from mmdetxfer.chips.negatives import draw_negatives, is_worth_keeping


def test_a_negative_chip_needs_more_than_25_boxes_at_the_finest_scale_and_10_else():
    counts = np.array([10, 11, 25, 26])
    assert is_worth_keeping(counts, 0).tolist() == [False, False, False, True]
    assert is_worth_keeping(counts, 1).tolist() == [False, True, True, True]


def test_the_draw_takes_each_chip_once_and_all_are_drawn_sooner_or_later():
    drawn = [draw_negatives(5, 2, key).tolist() for key in range(40)]
    assert all(len(set(pair)) == 2 for pair in drawn)
    assert set(sum(drawn, [])) == set(range(5))
    assert draw_negatives(1, 2, 3).tolist() == [0]
    assert draw_negatives(0, 2, 3).tolist() == []


def planned(num_proposals: int, num_negatives: int, at=(900, 900)) -> list:
    """Plan one object at the top left and small proposals in another corner.

    The image is 1000 x 1000 at a factor of 1: the finest scale of two.
    """
    places = np.arange(num_proposals) % 30
    x, y = at[0] + places, at[1] + places
    proposals = np.stack([x, y, x + 20, y + 20], 1)
    boxes = np.concatenate([[[10, 10, 40, 40]], proposals])
    table = BoxTable(
        widths=[1000],
        heights=[1000],
        keys=[7],
        offsets=[0, len(boxes)],
        boxes=boxes,
        kinds=[TRUTH, *[PROPOSAL] * num_proposals],
    )
    plan = ChipPlan(
        (1.0, (-1, 512)),
        ((-1, 80), (120, -1)),
        num_negatives=num_negatives,
        has_mirrored_copies=False,
    )
    chips = plan_epoch(table, plan, seed=0, epoch=0)
    return [chips.chip(index) for index in range(len(chips))]


def test_many_uncovered_proposals_get_a_chip_that_holds_them_and_no_true_box():
    positive, negative = planned(26, 2)
    assert (positive.is_negative, negative.is_negative) == (False, True)
    x1, y1, x2, y2 = negative.corners
    assert x1 <= 900 and y1 <= 900 and x2 >= 945 and y2 >= 945
    assert positive.valid_boxes == (0,) and negative.valid_boxes == ()


def test_few_proposals_and_a_plan_without_negatives_give_none():
    assert [chip.is_negative for chip in planned(25, 2)] == [False]
    assert [chip.is_negative for chip in planned(26, 0)] == [False]


def test_proposals_that_a_positive_chip_holds_count_as_covered():
    """Around the object itself: its chip takes them."""
    assert [chip.is_negative for chip in planned(26, 2, at=(10, 10))] == [False]


def test_proposals_drive_no_positive_chips():
    table = BoxTable([900], [900], [1], [0, 1], [[800, 800, 830, 830]], [PROPOSAL])
    plan = ChipPlan((1.0, (-1, 512)), ((-1, 80), (120, -1)), num_negatives=2)
    assert len(plan_epoch(table, plan, 0, 0)) == 0
