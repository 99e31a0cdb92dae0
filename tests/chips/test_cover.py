"""Candidates exactly as SNIPER's code has them, and the greedy cover of the boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdetxfer.chips import candidate_chips, cover
from mmdetxfer.chips.boxes import contains


def test_the_candidates_of_an_image_larger_than_a_chip():
    """1024x600, chips of 512, stride 100; worked out from the rules one by one.

    Corners: inner edges at 1024 - 512 = 512 and 600 - 512 = 88; the third edge at 512,
    one pixel further than a grid chip's 511. Grid: x = 0, 100, ..., 500 (below 512) and
    y = 0 (below 88). Right border from 1024 - 513 = 511, bottom one from 600 - 513 =
    87.
    """
    found = candidate_chips(1024, 600, 512, 100).tolist()
    assert found[:3] == [[512, 0, 1023, 512], [0, 88, 512, 599], [512, 88, 1023, 599]]
    xs = range(0, 600, 100)
    assert found[3:9] == [[x, 0, x + 511, 511] for x in xs]
    assert found[9] == [511, 0, 1023, 511]
    assert found[10:] == [[x, 87, x + 511, 599] for x in xs]


def test_the_grid_goes_column_by_column():
    found = candidate_chips(712, 812, 512, 100)[3:9, :2].tolist()
    assert found == [[0, 0], [0, 100], [0, 200], [100, 0], [100, 100], [100, 200]]


def test_an_image_smaller_than_a_chip_has_three_equal_candidates():
    assert candidate_chips(400, 300, 512, 56).tolist() == [[0, 0, 399, 299]] * 3


def test_an_image_that_is_larger_in_one_direction_keeps_the_border_of_the_other():
    """700x400: no grid, but chips along the bottom at x = 0 and 100 (below 188)."""
    found = candidate_chips(700, 400, 512, 100).tolist()
    assert found == [
        [188, 0, 699, 399],
        [0, 0, 512, 399],
        [188, 0, 699, 399],
        [0, 0, 511, 399],
        [100, 0, 611, 399],
    ]
    upright = np.array(candidate_chips(400, 700, 512, 100))
    assert upright[3:].tolist() == [[0, 0, 399, 511], [0, 100, 399, 611]]


def test_without_the_oddities_no_chip_is_longer_than_a_chip():
    found = candidate_chips(1024, 600, 512, 100, as_original=False)
    assert found[0].tolist() == [512, 0, 1023, 511]
    assert found[9].tolist() == [512, 0, 1023, 511]
    assert found[10].tolist() == [0, 88, 511, 599]
    original = candidate_chips(1024, 600, 512, 100)
    sides = [(c[:, 2:] - c[:, :2] + 1).max() for c in (found, original)]
    assert sides == [512, 513]


def test_the_candidate_with_most_boxes_comes_first_and_equals_go_by_the_order():
    """Windows a, b, c hold {0, 1}, {1, 2}, {2}: a or b first, then whoever holds the
    rest: b, c after a; a after b."""
    windows = np.array([[0, 0, 9, 9], [5, 0, 14, 9], [10, 0, 19, 9]])
    boxes = np.array([[1, 1, 4, 4], [6, 1, 8, 4], [11, 1, 13, 4]], dtype=float)
    assert cover(windows, boxes, np.array([0, 1, 2])).tolist() == [0, 1]
    assert cover(windows, boxes, np.array([0, 2, 1])).tolist() == [0, 2]
    assert cover(windows, boxes, np.array([2, 1, 0])).tolist() == [1, 0]


def test_a_box_must_be_held_whole_and_touching_the_border_is_whole():
    window = np.array([[0, 0, 9, 9]])
    order = np.array([0])
    assert cover(window, np.array([[0.0, 0, 9, 9]]), order).tolist() == [0]
    for outside in ([0, 0, 9.01, 9], [-0.01, 0, 9, 9], [0, 0, 9, 10]):
        assert cover(window, np.array([outside], float), order).tolist() == []


def test_no_boxes_give_no_chips():
    candidates = candidate_chips(1024, 600, 512, 100)
    order = np.arange(len(candidates))
    assert cover(candidates, np.zeros((0, 4)), order).tolist() == []


def test_an_order_that_is_no_permutation_is_refused():
    windows = np.zeros((3, 4))
    with pytest.raises(
        ValueError, match='permutation of 3 candidates, got 3 .*, 2 dif'
    ):
        cover(windows, np.zeros((1, 4)), np.array([0, 1, 1]))


def brute_force(candidates, boxes, order) -> list[int]:
    """Cover with sets, straight from the paper's words."""
    holds = {
        int(index): {
            number
            for number, box in enumerate(boxes)
            if (candidates[index][:2] <= box[:2]).all()
            and (candidates[index][2:] >= box[2:]).all()
        }
        for index in order
    }
    left, chosen = set(range(len(boxes))), []
    while True:
        best = max(order, key=lambda index: len(holds[int(index)] & left))
        if not holds[int(best)] & left:
            return chosen
        chosen.append(int(best))
        left -= holds[int(best)]


@st.composite
def images(draw):
    """An image of up to three chips a side, with boxes of whole and broken pixels."""
    width, height = draw(st.integers(1, 96)), draw(st.integers(1, 96))
    corners = st.tuples(st.floats(0, 95), st.floats(0, 95))
    pairs = draw(st.lists(st.tuples(corners, corners), max_size=12))
    boxes = [[*map(min, a, b), *map(max, a, b)] for a, b in pairs]
    boxes = np.array(boxes, dtype=float).reshape(-1, 4)
    boxes = np.round(boxes) if draw(st.booleans()) else boxes
    limits = np.array([width - 1, height - 1] * 2)
    return width, height, np.minimum(boxes, limits)


@given(images(), st.integers(1, 31), st.booleans(), st.randoms())
def test_the_cover_equals_brute_force_and_covers_all_that_can_be(
    image, stride, as_original, random
):
    width, height, boxes = image
    candidates = candidate_chips(width, height, 32, stride, as_original)
    order = np.array(random.sample(range(len(candidates)), len(candidates)))
    given_to = [array.copy() for array in (candidates, boxes, order)]
    chosen = cover(candidates, boxes, order)
    assert chosen.tolist() == brute_force(candidates, boxes, order)
    can_be = contains(candidates, boxes).any(0)
    assert (contains(candidates[chosen], boxes).any(0) == can_be).all()
    for before, after in zip(given_to, (candidates, boxes, order), strict=True):
        assert np.array_equal(before, after)


@settings(max_examples=25)
@given(st.integers(33, 90), st.integers(33, 90), st.integers(4, 31), st.booleans())
def test_every_box_within_the_side_limit_is_held_by_some_candidate(
    width, height, stride, as_original
):
    """SNIPER's limit on the longer side, chip - stride - 1, is there for this."""
    candidates = candidate_chips(width, height, 32, stride, as_original)
    side = 32 - stride - 1
    xs, ys = np.meshgrid(np.arange(width - side), np.arange(height - side))
    boxes = np.stack([xs, ys, xs + side, ys + side], -1).reshape(-1, 4)
    boxes = np.minimum(boxes, [width - 1, height - 1] * 2)
    assert contains(candidates, boxes.astype(float)).any(0).all()
