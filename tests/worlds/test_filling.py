"""Filling polygons, against hand-made masks and against exact fractions."""

from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest

from mmdetxfer.worlds.filling import fill_parts


def drawn(points, width, height, ends=None):
    mask = fill_parts(np.array(points), ends or (len(points),), height, width)
    assert mask.shape == (height, width)
    assert set(np.unique(mask)) <= {0, 255}
    return [''.join('#' if value else '.' for value in row) for row in mask]


def test_a_rectangle_is_filled_with_its_border():
    assert drawn([(1, 1), (3, 1), (3, 2), (1, 2)], 5, 4) == [
        '.....',
        '.###.',
        '.###.',
        '.....',
    ]


def test_a_diamond_takes_in_what_its_edges_reach_within_half_a_row():
    """At y = 0 the edges reach x = 2 +- 1/2: halves are rounded up, 2 to 3."""
    assert drawn([(2, 0), (4, 2), (2, 4), (0, 2)], 5, 5) == [
        '..##.',
        '.####',
        '#####',
        '.####',
        '..##.',
    ]


def test_a_flat_needle_stays_in_one_piece():
    """From (0, 0) to (9, 1): row 0 reaches to the middle, 4.5, row 1 begins there."""
    assert drawn([(0, 0), (9, 1)], 10, 2) == ['######....', '.....#####']


def test_a_point_and_a_level_line_are_filled():
    assert drawn([(1, 1)], 3, 2) == ['...', '.#.']
    assert drawn([(0, 1), (2, 1)], 4, 2) == ['....', '###.']


def test_parts_that_overlap_are_filled_once_and_gaps_between_parts_are_not():
    points = [(0, 0), (2, 0), (2, 1), (0, 1), (1, 1), (3, 1), (5, 2), (6, 2)]

    assert drawn(points, 7, 3, ends=(4, 6, 8)) == ['###....', '####...', '.....##']


def test_a_row_that_a_part_leaves_is_filled_from_end_to_end():
    """An upright U: parts are filled from their leftmost to their rightmost point."""
    points = [(0, 0), (1, 0), (1, 3), (4, 3), (4, 0), (5, 0), (5, 4), (0, 4)]

    assert drawn(points, 6, 5) == ['######'] * 5


def reach(points, row):
    """Return first and last x of a polygon between row - 1/2 and row + 1/2, rounded."""
    reached = []
    for (x1, y1), (x2, y2) in pairwise([*points, points[0]]):
        if not min(y1, y2) <= row <= max(y1, y2):
            continue
        if y1 == y2:
            reached += [Fraction(x1), Fraction(x2)]
            continue
        for y in (Fraction(2 * row - 1, 2), Fraction(2 * row + 1, 2)):
            inside = min(max(y, min(y1, y2)), max(y1, y2))
            reached.append(x1 + (x2 - x1) * (inside - y1) / (y2 - y1))
    rounded = [floor(x + Fraction(1, 2)) for x in reached]
    return (min(rounded), max(rounded)) if rounded else None


@pytest.mark.parametrize('corners', [3, 4, 7])
def test_polygons_agree_with_exact_fractions(corners):
    rng = np.random.default_rng(corners)
    for _ in range(60):
        points = rng.integers(0, 20, (corners, 2))
        mask = fill_parts(points, (corners,), 20, 20)
        for row in range(20):
            filled = np.flatnonzero(mask[row])
            wanted = reach([tuple(map(int, point)) for point in points], row)
            found = (filled[0], filled[-1]) if len(filled) else None
            assert found == wanted
            if len(filled):
                assert len(filled) == filled[-1] - filled[0] + 1


def test_arguments_stay_as_they_were():
    points = np.array([(0, 0), (5, 3), (2, 7)])
    before = points.copy()

    fill_parts(points, (3,), 8, 8)

    assert (points == before).all()
