"""A sample that cannot be read is replaced by a function of its place, and reported."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmdetxfer.datasets import UnreadableImageError
from mmdetxfer.engine.unreadable_images import (
    MAX_DRAWS,
    ReportingCollate,
    Unreadable,
    bare_batches,
    named_files,
    take_sample,
)
from mmdetxfer.engine.unreadable_images_hook import UnreadableImagesHook


class Numbers:
    """The numbers below 100, of which some cannot be read."""

    def __init__(self, *broken):
        self.broken = broken

    def __len__(self):
        return 100

    def __getitem__(self, index):
        if index in self.broken:
            raise UnreadableImageError.of(f'{index}.jpg', 'cut')
        return index


def test_a_readable_sample_is_taken_without_drawing():
    def never(count):
        raise AssertionError

    assert take_sample(Numbers(), 7, never) == (7, ())


def test_another_sample_is_drawn_until_one_can_be_read():
    """3 cannot be read, nor 4, drawn first; 5 comes next."""
    draws = iter([4, 5])
    taken = take_sample(Numbers(3, 4), 3, lambda count: next(draws))
    assert taken.sample == 5
    assert taken.unreadable == (('3.jpg', 'cut'), ('4.jpg', 'cut'))


def test_the_draw_is_numpys_next_and_below_the_length():
    """numpy's global state decides: the caller seeds it from the place."""
    with_state = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        with_state.append(take_sample(Numbers(3), 3).sample)
    np.random.seed(1)
    assert with_state[0] == with_state[1] == np.random.randint(100) != with_state[2]


def test_a_place_is_given_up_where_nearly_all_is_broken():
    tried = []

    def draw(count):
        tried.append(count)
        return 3

    with pytest.raises(UnreadableImageError, match='3.jpg and 20 samples drawn in its'):
        take_sample(Numbers(3), 3, draw)
    assert tried == [100] * (MAX_DRAWS - 1)


def test_errors_of_another_kind_are_not_replaced():
    class Defect:
        def __getitem__(self, index):
            raise OSError('behind the loader')

    with pytest.raises(OSError, match='behind the loader'):
        take_sample(Defect(), 0)


class Samples:
    def __getitem__(self, index):
        return take_sample(Numbers(3), index, lambda count: 9)

    def __len__(self):
        return 6


@pytest.mark.parametrize('pin_memory', [False, torch.cuda.is_available()])
def test_reports_come_with_the_batch_that_they_belong_to(pin_memory):
    loader = DataLoader(
        Samples(),
        batch_size=2,
        collate_fn=ReportingCollate(list),
        pin_memory=pin_memory,
    )
    log, seen = [], []
    for batch in bare_batches(iter(loader), log):
        seen.append((list(batch), list(log)))
    report = [Unreadable('3.jpg', 'cut')]
    assert seen == [([0, 1], []), ([2, 9], report), ([4, 5], report)]


def test_reports_that_pinning_made_lists_of_are_tuples_again():
    log = []
    assert list(bare_batches([['batch', [['a.jpg', 'cut']]]], log)) == ['batch']
    assert log == [Unreadable('a.jpg', 'cut')] and isinstance(log[0], Unreadable)


def test_files_are_named_once_and_those_beyond_a_number_counted():
    many = [Unreadable(f'{k}.jpg', 'cut') for k in (1, 2, 1, 3, 2)]
    assert named_files(many) == '1.jpg (cut), 2.jpg (cut), 3.jpg (cut)'
    assert named_files(many, most=2) == '1.jpg (cut), 2.jpg (cut), and 1 more files'
    assert named_files([]) == ''


@pytest.mark.parametrize(
    ('num_samples', 'limit'), [(100, 20), (2099, 20), (2100, 21), (100_000, 1000)]
)
def test_the_limit_is_20_or_one_in_a_hundred(num_samples, limit):
    loader = SimpleNamespace(
        dataset=range(num_samples), batch_sampler=SimpleNamespace(batch_size=2)
    )
    hook = UnreadableImagesHook()
    hook.before_train(SimpleNamespace(train_dataloader=loader))
    assert hook.limit == limit


def test_an_interval_of_no_iterations_is_refused():
    with pytest.raises(ValueError, match='expected 1 or more iterations, got 0'):
        UnreadableImagesHook(interval=0)
