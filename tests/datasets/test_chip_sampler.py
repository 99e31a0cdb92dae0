"""Chips of an epoch: each once, a share for each rank, as many in every epoch."""

import pickle
from collections import Counter

import numpy as np
import pytest
from mmdet.utils import register_all_modules
from toy_boxes import coco

from mmdetxfer.chips import Chip, plan_epoch
from mmdetxfer.chips.tables import boxes_only_in
from mmdetxfer.datasets import ChipDataset, ChipIndex, ChipSampler, chip_sampler
from mmdetxfer.errors import UserError

register_all_modules(init_default_scope=False)
# Chips of 32 px out of images of 100 x 80: several an image, another number each epoch.
PLAN = dict(
    scales=[1.0, (-1, 50)],
    valid_ranges=[(-1, 12), (9, -1)],
    chip_px=32,
    stride_range_px=(2, 12),
)
NUM_IMAGES = 25


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    rng = np.random.default_rng(0)
    images = []
    for _ in range(NUM_IMAGES):
        boxes = [
            (int(x), int(y), int(w), int(h))
            for x, y, w, h in zip(
                *rng.integers(0, 60, (2, 6)), *rng.integers(3, 18, (2, 6)), strict=True
            )
        ]
        images.append(dict(width=100, height=80, boxes=boxes))
    return ChipDataset(coco(tmp_path_factory.mktemp('coco'), images), PLAN, [])


def chips_of(sampler, epoch=0) -> list[Chip]:
    sampler.set_epoch(epoch)
    return [index.chip for index in sampler]


def test_an_epoch_holds_each_planned_chip_once_in_random_order(dataset):
    sampler = ChipSampler(dataset, seed=3)
    planned = plan_epoch(dataset.box_table(), dataset.plan, 3, 0)
    expected = [planned.chip(row) for row in range(len(planned))]
    found = chips_of(sampler)
    assert len(found) == len(sampler) == len(expected) > 100
    assert Counter(found) == Counter(expected) and found != expected
    assert chips_of(ChipSampler(dataset, seed=3, shuffle=False)) == expected
    assert chips_of(sampler) == found
    assert [int(index) for index in sampler] == [chip.image_index for chip in found]


def test_the_order_depends_on_the_seed_and_on_the_epoch(dataset):
    found = chips_of(ChipSampler(dataset, seed=3))
    assert found != chips_of(ChipSampler(dataset, seed=4))
    sampler = ChipSampler(dataset, seed=3)
    second = chips_of(sampler, epoch=1)
    assert second != found and len(second) == len(found)
    # Whatever was sampled before, an epoch is the same.
    assert chips_of(ChipSampler(dataset, seed=3, num_threads=1), epoch=1) == second


def test_ranks_share_an_epoch_evenly_and_the_last_places_are_filled(
    dataset, monkeypatch
):
    whole = chips_of(ChipSampler(dataset, seed=3))
    shares = []
    for rank in range(4):
        monkeypatch.setattr(chip_sampler, 'get_dist_info', lambda rank=rank: (rank, 4))
        sampler = ChipSampler(dataset, seed=3)
        shares.append(chips_of(sampler))
        assert len(shares[-1]) == len(sampler) == -(-len(whole) // 4)
    together = [chip for place in zip(*shares, strict=True) for chip in place]
    num_filled = len(together) - len(whole)
    assert together == whole + whole[:num_filled]
    assert 0 <= num_filled < 4


def test_epochs_with_more_chips_are_cut_and_those_with_fewer_filled(
    dataset, monkeypatch
):
    """Their numbers differ; what is lost by a cut is in the log."""
    sampler = ChipSampler(dataset, seed=0)
    table, length = dataset.box_table(), len(sampler)
    planned = [plan_epoch(table, dataset.plan, 0, epoch) for epoch in range(40)]
    more = next(e for e, chips in enumerate(planned) if len(chips) > length)
    fewer = next(e for e, chips in enumerate(planned) if len(chips) < length)
    said = []
    monkeypatch.setattr(chip_sampler, 'print_log', lambda text, _: said.append(text))
    cut = chips_of(sampler, more)
    assert len(cut) == length == len(set(cut))
    printed = said[-1]
    left = {planned[more].chip(row) for row in range(len(planned[more]))} - set(cut)
    held = {(c.image_index, c.is_mirrored, box) for c in cut for box in c.valid_boxes}
    lost = {(c.image_index, c.is_mirrored, box) for c in left for box in c.valid_boxes}
    assert f'{len(left)} chips beyond the length of epoch 1' in printed
    assert f'the only chip of {len(lost - held)} boxes' in printed
    filled = chips_of(sampler, fewer)
    assert len(filled) == length and len(set(filled)) == len(planned[fewer])


def test_boxes_whose_only_chip_is_lost_are_counted(dataset):
    chips = plan_epoch(dataset.box_table(), dataset.plan, 3, 0)
    rows = np.arange(len(chips))
    assert boxes_only_in(chips, rows, rows) == 0
    valid = {
        (chip.image_index, chip.is_mirrored, box)
        for chip in map(chips.chip, rows)
        for box in chip.valid_boxes
    }
    assert boxes_only_in(chips, rows, rows[:0]) == len(valid)


def test_an_index_travels_without_the_table(dataset):
    index = next(iter(ChipSampler(dataset, seed=3)))
    content = pickle.dumps(index)
    assert len(content) < 400
    arrived = pickle.loads(content)
    assert isinstance(arrived, ChipIndex) and arrived == int(index)
    assert arrived.chip == index.chip
    assert pickle.loads(pickle.dumps(arrived)).chip == index.chip


def test_another_data_set_is_refused():
    with pytest.raises(UserError, match='of the type mmdetxfer.ChipDataset, got list'):
        ChipSampler([1, 2], seed=0)


def test_data_without_a_box_for_any_scale_are_refused(tmp_path):
    config = coco(tmp_path, [dict(width=100, height=80, boxes=[(1, 1, 30, 30)])])
    plan = dict(scales=[(-1, 100)], valid_ranges=[(90, -1)], chip_px=32)
    with pytest.raises(UserError, match='no box of the 1 images drives a chip'):
        ChipSampler(ChipDataset(config, plan, []), seed=0)


def test_memory_does_not_grow_over_epochs(dataset):
    """One plan is held at a time, and nothing of former ones."""
    sampler = ChipSampler(dataset, seed=3)
    for epoch in range(3):
        indices = iter(chips_of(sampler, epoch))
        next(indices)
    held = [value for value in vars(sampler).values() if hasattr(value, 'corners')]
    assert len(held) == 1
