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
from mmdetxfer.errors import UserError


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


class ToyRunner:
    """What the hook sees of a runner: its loader, its counters and its log."""

    def __init__(self, num_samples, num_unreadable=0):
        self.train_dataloader = SimpleNamespace(
            dataset=range(num_samples),
            batch_sampler=SimpleNamespace(batch_size=2),
            unreadable=[Unreadable(f'{k}.jpg', 'cut') for k in range(num_unreadable)],
        )
        self.train_loop, self.iter, self.epoch, self.warnings = None, 0, 0, []
        self.logger = SimpleNamespace(warning=self.warnings.append)


def started(runner, **settings) -> UnreadableImagesHook:
    hook = UnreadableImagesHook(**settings)
    hook.before_train(runner)
    return hook


@pytest.mark.parametrize(
    ('num_samples', 'limit'), [(100, 20), (2099, 20), (2100, 21), (100_000, 1000)]
)
def test_the_limit_is_20_or_one_in_a_hundred(num_samples, limit):
    """The limit itself is allowed."""
    runner = ToyRunner(num_samples, limit)
    started(runner).after_train_iter(runner, 0)
    runner = ToyRunner(num_samples, limit + 1)
    said = (
        f'{limit + 1} samples of this epoch had unreadable images, more than {limit} '
    )
    with pytest.raises(UserError, match=said):
        started(runner).after_train_iter(runner, 0)
    with pytest.raises(UserError, match=said):
        started(runner).after_train_epoch(runner)


def test_each_epoch_is_listed_and_counted_alone():
    runner = ToyRunner(100, num_unreadable=2)
    hook = started(runner)
    hook.after_train_epoch(runner)
    runner.epoch = 1
    hook.after_train_epoch(runner)
    assert runner.warnings == [
        'epoch 1: 2 samples with unreadable images were replaced: 0.jpg (cut), '
        '1.jpg (cut)'
    ]


def test_a_loader_that_replaces_nothing_counts_nothing():
    runner = ToyRunner(100)
    del runner.train_dataloader.unreadable
    started(runner).after_train_epoch(runner)
    assert runner.warnings == []


def test_several_ranks_are_summed_every_interval(monkeypatch):
    """Of four iterations the second and the fourth; a sum is a collective call."""
    sums = []
    name = 'mmdetxfer.engine.unreadable_images_hook'
    monkeypatch.setattr(f'{name}.get_world_size', lambda: 2)
    monkeypatch.setattr(f'{name}.all_reduce', lambda total: sums.append(runner.iter))
    runner = ToyRunner(100)
    hook = started(runner, interval=2)
    for runner.iter in range(4):
        hook.after_train_iter(runner, runner.iter)
    assert sums == [1, 3]


def test_an_interval_of_no_iterations_is_refused():
    with pytest.raises(ValueError, match='expected 1 or more iterations, got 0'):
        UnreadableImagesHook(interval=0)
