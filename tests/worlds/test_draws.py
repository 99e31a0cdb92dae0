"""Random integers: published values of splitmix64, ranges, and the noise tiles."""

import numpy as np

from mmdetxfer.worlds import draws as draws_module
from mmdetxfer.worlds.draws import Draws, blotch_tile, cut, grain_tile, hash_bytes


def test_a_stream_without_a_key_is_splitmix64_of_seed_0():
    """The first outputs for seed 0 that the authors' code and its ports give."""
    draws = Draws()

    values = [draws.below(1 << 64) for _ in range(3)]

    assert values == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_keys_that_differ_in_any_part_give_other_streams():
    def start(*key):
        return Draws(*key).below(1 << 64)

    keys = [(1, 2), (2, 1), (1, 2, 0), (1,), (1, 2, 3), (0, 1, 2), (-1, 2)]

    assert len({start(*key) for key in keys}) == len(keys)
    assert start(1, 2) == start(1, 2)


def test_between_reaches_both_ends_about_equally_often():
    draws = Draws(3)

    values = [draws.between(-2, 3) for _ in range(6000)]

    numbers = np.bincount(np.array(values) + 2)
    assert len(numbers) == 6
    assert numbers.min() > 900  # of 1000 expected, 29 standard deviation


def test_percent_is_never_for_0_and_always_for_100():
    draws = Draws(4)

    assert not any(draws.percent(0) for _ in range(200))
    assert all(draws.percent(100) for _ in range(200))
    assert 400 < sum(draws.percent(50) for _ in range(1000)) < 600


def test_shuffled_keeps_the_options_and_reaches_every_order():
    draws = Draws(5)

    orders = {tuple(draws.shuffled('abc')) for _ in range(100)}

    assert len(orders) == 6
    assert all(sorted(order) == ['a', 'b', 'c'] for order in orders)


def test_hashed_bytes_are_the_first_bytes_of_the_integer_hash():
    """The vectorised hash leaves out the last step, which the first byte ignores."""
    step = 0x9E3779B97F4A7C15
    start = draws_module._mix(9)
    expected = [
        draws_module._mix((start + number * step) & ((1 << 64) - 1)) >> 56
        for number in range(1, 6)
    ]

    assert hash_bytes(9, 5).tolist() == expected


def test_tiles_fill_their_range_around_0_and_cannot_be_changed():
    for tile in (grain_tile(10), blotch_tile(7, 26)):
        strength = int(np.abs(tile).max())
        assert strength in (10, 26)
        assert abs(float(tile.mean())) < 1
        assert not tile.flags.writeable


def test_blotches_are_as_wide_as_asked_for():
    """Neighbours 2 px apart agree, those 40 px apart do not; three channels are one."""
    tile = blotch_tile(7, 26).astype(float)
    grey = tile[..., 0]

    near = np.corrcoef(grey[:, 2:].ravel(), grey[:, :-2].ravel())[0, 1]
    far = np.corrcoef(grey[:, 40:].ravel(), grey[:, :-40].ravel())[0, 1]

    assert near > 0.8
    assert abs(far) < 0.1
    assert (tile[..., 1] == grey).all() and (tile[..., 2] == grey).all()


def test_pieces_of_a_tile_have_the_size_asked_for_and_differ():
    draws = Draws(6)

    pieces = [cut(grain_tile(10), 20, 30, draws) for _ in range(3)]

    assert all(piece.shape == (20, 30, 3) for piece in pieces)
    assert (pieces[0] != pieces[1]).any()
