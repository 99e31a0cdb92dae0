"""Draws that are a function of their counters alone."""

import numpy as np

from mmdetxfer.chips import image_keys
from mmdetxfer.chips.counter_hash import draws, hash_counters


def test_the_mixing_is_splitmix64s():
    """The published first outputs for the seed 0: its state grows by the same step."""
    assert [hex(value) for value in draws(0, 3)] == [
        '0xe220a8397b1dcdaf',
        '0x6e789e6aa1b965f4',
        '0x6c45d188009454f',
    ]


def test_every_part_and_their_order_count():
    found = {
        int(hash_counters(*parts)[0])
        for parts in [(1, 2, 3), (2, 1, 3), (1, 3, 2), (1, 2), (1, 2, 0), (0, 1, 2)]
    }
    assert len(found) == 6


def test_arrays_give_what_their_elements_give_one_by_one():
    keys = np.array([5, 1 << 63, 7], dtype=np.uint64)
    together = hash_counters(3, keys, np.arange(3))
    alone = [hash_counters(3, key, index)[0] for index, key in enumerate(keys)]
    assert together.tolist() == [int(one) for one in alone]
    assert hash_counters(3, np.arange(0)).tolist() == []


def test_draws_are_even():
    """Of 64,000 draws each of 64 values gets 1000; six standard deviations are 190."""
    for drawn in (hash_counters(1, np.arange(64_000)), draws(7, 64_000)):
        counts = np.bincount(drawn % np.uint64(64))
        assert counts.min() > 810 and counts.max() < 1190


def test_an_image_key_is_that_of_the_ids_text_and_differs_between_ids():
    keys = image_keys(['000001', '1', 1, 2])
    assert keys.dtype == np.uint64
    assert keys[1] == keys[2] and len(set(keys.tolist())) == 3
