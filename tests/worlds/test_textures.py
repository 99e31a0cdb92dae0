"""Surface textures: their periods, directions and coverage, family by family."""

import math

import numpy as np
import pytest

from mmdetxfer.worlds.textures import FAMILIES, SINES, Pattern, draw_pattern


def drawn(family, degrees=0, period_px=8, offset_x=0, offset_y=0, size=64):
    pattern = Pattern(family, degrees, period_px * 16, offset_x, offset_y)
    return draw_pattern(pattern, size, size).astype(int)


def test_no_sine_comes_near_a_half_so_that_rounding_cannot_differ():
    """Libraries' sines differ in the last bit, 1e-16 of the value."""
    for degree, entry in enumerate(SINES):
        exact = 4096 * math.sin(math.radians(degree))
        assert abs(exact - entry) < 0.5 - 1e-6


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_draws_two_tones(family):
    values = drawn(family)

    assert set(np.unique(values)) == {0, 1}
    assert 0.2 < values.mean() < 0.8


@pytest.mark.parametrize('family', FAMILIES)
def test_a_pattern_repeats_after_its_period_along_its_direction(family):
    """8 px; bricks shift every other row by half, so they repeat after two."""
    values = drawn(family)
    shift = 16 if family == 'bricks' else 8

    assert (values[:, shift:] == values[:, :-shift]).all()
    assert (values[:, 4:] != values[:, :-4]).any()


@pytest.mark.parametrize('family', FAMILIES)
def test_a_quarter_turn_transposes_a_pattern_but_for_its_start(family):
    """Each transposed row or column occurs in the turned pattern."""
    upright, lying = drawn(family, 0), drawn(family, 90)

    assert math.isclose(upright.mean(), lying.mean(), abs_tol=0.05)
    across = np.abs(np.diff(upright, axis=1)).sum()
    down = np.abs(np.diff(lying, axis=0)).sum()
    assert math.isclose(across, down, rel_tol=0.1)


def test_stripes_stand_upright_at_0_degrees_half_and_half():
    values = drawn('stripes', period_px=8)

    assert (values == values[0]).all()
    assert values[0, :8].sum() == 4


def test_checks_change_with_every_half_period_both_ways():
    """Squares of 4 px at period 8."""
    values = drawn('checks', period_px=8)

    assert (values[4:, :] == 1 - values[:-4, :]).all()
    assert (values[:, 4:] == 1 - values[:, :-4]).all()


def test_dots_cover_two_fifths():
    """(radius / period)^2 = 0.4 / pi, so pi r^2 is 0.4 of a cell."""
    values = drawn('dots', period_px=16, size=160)

    assert math.isclose(values.mean(), 0.4, abs_tol=0.02)


def test_every_other_row_of_bricks_is_shifted_by_half_a_brick():
    """Rows 8 px wide, bricks 16 px long: shifted by a row and half a brick."""
    values = drawn('bricks', period_px=8)

    assert (values[8:, 8:] == values[:-8, :-8]).all()
    assert (values[:, 8:] != values[:, :-8]).any()
    assert (values[16:, :] == values[:-16, :]).all()


def test_waves_are_stripes_that_swing_three_eighths_to_either_side():
    """Of 16 px: the edge of a stripe moves by 12 px, and back within two periods."""
    values = drawn('waves', period_px=16, size=128)
    edges = [int(np.flatnonzero(np.diff(row) == 1)[0]) for row in values[:32]]
    path = np.unwrap(edges, period=16)

    assert np.ptp(path) in (11, 12)
    assert (values[32:64] == values[:32]).all()


def test_triangles_are_halves_of_squares_cut_along_the_diagonal():
    """At period 8 the pixel (x, y) of a square is inside where x > y."""
    values = drawn('triangles', period_px=8)

    inside = [[int(x > y) for x in range(8)] for y in range(8)]
    assert values[:8, :8].tolist() == inside
    assert (values[8:, 8:] == values[:-8, :-8]).all()


def test_offsets_move_a_pattern():
    """A quarter of a period is 16384: 2 px of 8."""
    values = drawn('stripes', period_px=8)
    moved = drawn('stripes', period_px=8, offset_x=16384)

    assert (moved[:, :-2] == values[:, 2:]).all()
