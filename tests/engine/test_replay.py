"""A data stream that is entered in the middle gives the samples that it would give."""

import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler

from mmdetxfer.engine.random_state import (
    kept_random_state,
    random_state,
    set_random_state,
)
from mmdetxfer.engine.replay import (
    PositionedIndex,
    ReplayBatchSampler,
    SeededDataset,
    replayable,
    seed_sample,
)
from mmdetxfer.errors import UserError


class Numbers:
    """A data set whose samples are random; it counts how many were made."""

    metainfo = {'classes': ('a',)}

    def __init__(self, length=40):
        self.length, self.made, self.offset = length, 0, 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        assert type(index) is int
        self.made += 1
        drawn = (random.random(), np.random.rand(), torch.rand(1).item())
        return (index + self.offset, *drawn)


class Shuffled:
    """A sampler as mmengine's: its order is a function of the epoch."""

    def __init__(self, length):
        self.length, self.epoch = length, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        order = np.random.default_rng(self.epoch).permutation(self.length)
        return iter(order.tolist())

    def __len__(self):
        return self.length


def stream(num_workers=0, length=40, seed=5, rank=0, is_endless=False):
    loader = DataLoader(
        Numbers(length),
        batch_sampler=BatchSampler(Shuffled(length), 4, drop_last=False),
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        collate_fn=list,
    )
    return replayable(loader, seed, rank, is_endless)


def test_a_stream_entered_at_batch_7_goes_on_as_the_whole_one():
    whole = list(stream().batches(epoch=3))
    assert list(stream().batches(epoch=3, first_batch=7)) == whole[7:]
    assert len(whole) == 10


def test_entering_makes_no_sample_of_the_past():
    entered = stream(length=100_000)
    next(entered.batches(epoch=0, first_batch=24_990))
    assert entered.dataset.made == 4


def test_two_workers_give_the_samples_of_none():
    with_workers = stream(num_workers=2)
    for epoch in (0, 1):
        assert list(with_workers.batches(epoch, 3)) == list(stream().batches(epoch, 3))


def test_seed_rank_epoch_and_position_each_change_the_random_numbers():
    def drawn(seed, epoch, position, rank):
        seed_sample(seed, epoch, position, rank)
        return random.random(), np.random.rand(), torch.rand(1).item()

    base = drawn(1, 1, 1, 1)
    others = [drawn(*(1 + (i == k) for i in range(4))) for k in range(4)]
    for other in others:
        assert all(a != b for a, b in zip(base, other, strict=True))
    assert drawn(1, 1, 1, 1) == base


def test_making_samples_leaves_the_random_state_of_the_training_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(stream().batches(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_endless_stream_shuffles_anew_and_counts_batches_over_epochs():
    """10 batches an epoch: batch 13 is batch 3 of the second epoch."""
    endless = stream(is_endless=True).batches(0, first_batch=13)
    second_epoch = list(stream().batches(epoch=1))
    assert [next(endless) for _ in range(7)] == second_epoch[3:]
    assert next(endless) == next(stream().batches(epoch=2))


@pytest.mark.parametrize(('is_equal', 'num_begun'), [(True, 1), (False, 101)])
def test_whole_epochs_are_passed_by_where_all_are_equal(is_equal, num_begun):
    """Batch 1003 of 10 an epoch is batch 3 of epoch 100."""

    class Counting(Shuffled):
        has_equal_epochs, begun = is_equal, 0

        def __iter__(self):
            Counting.begun += 1
            return super().__iter__()

    batches = BatchSampler(Counting(40), 4, drop_last=False)
    endless = ReplayBatchSampler(batches, is_endless=True)
    endless.start_at(0, 1003)
    found = next(iter(endless))
    assert Counting.begun == num_begun
    whole = stream(is_endless=False).batch_sampler
    whole.start_at(100, 3)
    expected = next(iter(whole))
    assert found == expected
    assert [one.position for one in found] == [one.position for one in expected]
    assert [one.epoch for one in found] == [100] * 4


def test_an_endless_stream_over_no_data_is_an_error():
    empty = ReplayBatchSampler(BatchSampler([], 4, drop_last=False), is_endless=True)
    with pytest.raises(UserError, match='gives no batch.*at least one batch of 4'):
        next(iter(empty))


def test_an_iterable_data_set_is_refused():
    class Endless(IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.raises(UserError, match='map-style data set.*Endless'):
        replayable(DataLoader(Endless(), batch_size=2), 0, 0)


def test_a_loader_without_batches_is_refused():
    loader = DataLoader(Numbers(), batch_size=None, sampler=RandomSampler(Numbers()))
    with pytest.raises(UserError, match='map-style data set'):
        replayable(loader, 0, 0)


def test_hooks_read_and_set_the_wrapped_data_set():
    inner = Numbers()
    wrapped = SeededDataset(inner, seed=0, rank=0)
    wrapped.offset = 100
    assert inner.offset == 100 and wrapped.metainfo is inner.metainfo
    assert wrapped[3][0] == 103 and len(wrapped) == 40
    assert len(pickle.loads(pickle.dumps(wrapped))) == 40


def test_a_positioned_index_is_an_int_that_travels_with_its_position():
    index = pickle.loads(pickle.dumps(PositionedIndex(7, epoch=2, position=31)))
    assert index == 7 and isinstance(index, int)
    assert (index.epoch, index.position) == (2, 31)


def test_the_random_state_comes_back():
    set_random_state(random_state())
    state = random_state()
    first = (random.gauss(0, 1), np.random.standard_normal(3).tolist(), torch.rand(2))
    with kept_random_state():
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
    set_random_state(state)
    second = (random.gauss(0, 1), np.random.standard_normal(3).tolist(), torch.rand(2))
    assert first[:2] == second[:2] and torch.equal(first[2], second[2])


def test_hooks_can_read_the_batch_size():
    loader = DataLoader(Numbers(), batch_size=5, collate_fn=list)
    assert replayable(loader, 0, 0).batch_size == 5
