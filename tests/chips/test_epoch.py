"""The plan of an epoch: fast equals slow, and nothing but (seed, epoch, image)."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdetxfer.chips import (
    IGNORED,
    PROPOSAL,
    TRUTH,
    BoxTable,
    ChipPlan,
    driving_boxes,
    epoch,
    epoch_stride,
    plan_epoch,
)
from mmdetxfer.chips.boxes import flip_boxes

VOC = ChipPlan(((1400, 2000), (800, 1280), (-1, 512)), ((-1, 80), (32, 150), (120, -1)))
KINDS = (TRUTH, TRUTH, TRUTH, PROPOSAL, IGNORED)


def random_table(num_images=30, seed=0, most_boxes=12, kinds=KINDS) -> BoxTable:
    """Images of 150 to 500 px with objects of 3 px to the whole image."""
    rng = np.random.default_rng(seed)
    sides = rng.integers(150, 501, (2, num_images))
    counts = rng.integers(0, most_boxes, num_images)
    images = np.repeat(np.arange(num_images), counts)
    spans = np.exp(rng.uniform(np.log(3), np.log(500), (len(images), 2)))
    spans = np.minimum(spans, sides.T[images] - 1)
    starts = rng.uniform(size=spans.shape) * (sides.T[images] - 1 - spans)
    boxes = np.concatenate([starts, starts + spans], axis=1)
    return BoxTable(
        widths=sides[0],
        heights=sides[1],
        keys=rng.integers(0, 1 << 63, num_images),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        boxes=np.round(boxes) if seed % 2 else boxes,
        kinds=rng.choice(kinds, len(images)),
    )


def columns(chips) -> dict:
    return {f.name: getattr(chips, f.name) for f in dataclasses.fields(chips)}


def assert_equal(one, other):
    for name, column in columns(one).items():
        assert np.array_equal(column, columns(other)[name]), name


@settings(max_examples=30)
@given(
    st.integers(0, 1000),
    st.sampled_from([96, 128, 512]),
    st.booleans(),
    st.sampled_from([None, 60.0, 200.0]),
    st.sampled_from([0, 2]),
    st.sampled_from([VOC.scales, ((-1, 512),), (2.0, (300, -1)), (1.5, 1.0, 0.7, 0.4)]),
)
def test_numba_equals_numpy(seed, chip_px, as_original, limit, negatives, scales):
    """Crowded images with proposals, so that negative chips occur too."""
    kinds = (TRUTH, PROPOSAL, PROPOSAL, PROPOSAL, IGNORED)
    table = random_table(3, seed, 12 if not negatives else 120, kinds)
    ranges = [(-1, 80), (32, 150), (60, -1), (120, -1)]
    plan = ChipPlan(
        scales,
        tuple(ranges[: len(scales) - 1] + ranges[-1:]),
        chip_px=chip_px,
        as_original=as_original,
        side_limit_px=limit,
        num_negatives=negatives,
    )
    fast, slow = (
        plan_epoch(table, plan, seed, 3, backend=backend)
        for backend in ('numba', 'numpy')
    )
    assert_equal(fast, slow)


def test_the_comparison_above_meets_negative_chips_and_ties():
    kinds = (TRUTH, PROPOSAL, PROPOSAL, PROPOSAL)
    plan = dataclasses.replace(VOC, num_negatives=2)
    chips = plan_epoch(random_table(20, 1, 120, kinds), plan, 0, 0, backend='numpy')
    assert chips.is_negative.sum() > 3
    per_entry = np.bincount(chips.image_indices[chips.is_negative])
    assert per_entry.max() <= 4  # at most 2 of the image, 2 of its mirrored copy


def by_key(table, chips) -> dict:
    """Group what is planned by the image's key."""
    found = {int(key): [] for key in table.keys}
    for index in range(len(chips)):
        chip = chips.chip(index)
        found[int(table.keys[chip.image_index])].append(chip[1:])
    return found


def take(table, order) -> BoxTable:
    """Return the images of a table in another order."""
    spans = [np.arange(*table.offsets[i : i + 2]) for i in order]
    boxes = np.concatenate(spans)
    counts = [len(span) for span in spans]
    return BoxTable(
        table.widths[order],
        table.heights[order],
        table.keys[order],
        np.concatenate([[0], np.cumsum(counts)]),
        table.boxes[boxes],
        table.kinds[boxes],
    )


def test_the_chips_of_an_image_do_not_depend_on_the_others_or_on_their_order():
    table = random_table()
    whole = by_key(table, plan_epoch(table, VOC, 5, 1))
    order = np.array([7, 3, 29, 0, 11])
    part = take(table, order)
    assert by_key(part, plan_epoch(part, VOC, 5, 1)) == {
        int(key): whole[int(key)] for key in table.keys[order]
    }


def test_blocks_and_threads_change_nothing(monkeypatch):
    table = random_table()
    whole = plan_epoch(table, VOC, 5, 1)
    monkeypatch.setattr(epoch, '_BLOCK_ENTRIES', 7)
    seen = []
    blocks = plan_epoch(
        table, VOC, 5, 1, num_threads=3, progress=lambda *done: seen.append(done)
    )
    assert_equal(blocks, whole)
    assert seen == [(min(7 * n, 60), 60) for n in range(1, 10)]


@pytest.mark.parametrize('other', [(6, 1), (5, 2)], ids=['seed', 'epoch'])
def test_another_seed_or_epoch_gives_other_chips(other):
    table = random_table()
    one, two = (plan_epoch(table, VOC, *which) for which in ((5, 1), other))
    assert one.corners.tolist() != two.corners.tolist()
    assert_equal(plan_epoch(table, VOC, *other), two)


def test_the_stride_is_drawn_anew_each_epoch_out_of_all_in_range():
    drawn = [epoch_stride(VOC, 0, number) for number in range(100)]
    assert set(drawn) == {56, 57, 58, 59}
    assert drawn != [epoch_stride(VOC, 1, number) for number in range(100)]


def test_each_chip_holds_its_valid_boxes_and_no_box_is_valid_twice_at_a_scale():
    table = random_table(60)
    chips = plan_epoch(table, VOC, 0, 0)
    assert chips.is_mirrored.any() and len(np.unique(chips.scale_indices)) == 3
    seen = set()
    for index in range(len(chips)):
        chip = chips.chip(index)
        for number in chip.valid_boxes:
            where = (chip.image_index, chip.is_mirrored, chip.scale_index, number)
            assert where not in seen
            seen.add(where)
            box = table.boxes[table.offsets[chip.image_index] + number].astype(float)
            if chip.is_mirrored:
                box = flip_boxes(box[None], table.widths[chip.image_index])[0]
            low = np.maximum(box[:2] * chip.factor, chip.corners[:2])
            high = np.minimum(box[2:] * chip.factor, chip.corners[2:])
            assert (high - low >= chip.factor * 0.999).all()


def test_every_true_box_that_drives_chips_is_valid_in_one_of_them():
    """All of them: within the side limit the grid holds each, at the coarsest scale
    the whole image is a chip."""
    table = random_table(60)
    chips = plan_epoch(table, VOC, 0, 0)
    valid = {
        (chip.image_index, chip.is_mirrored, chip.scale_index, number)
        for chip in map(chips.chip, range(len(chips)))
        for number in chip.valid_boxes
    }
    factors = VOC.factors(table.widths, table.heights)
    stride, num_driving = epoch_stride(VOC, 0, 0), 0
    for image in range(len(table)):
        span = slice(*table.offsets[image : image + 2])
        boxes, kinds = table.boxes[span].astype(float), table.kinds[span]
        for scale in range(3):
            found = driving_boxes(boxes, VOC, scale, factors[image, scale], stride)
            for number in np.flatnonzero(found & (kinds == TRUTH)):
                num_driving += 1
                for is_mirrored in (False, True):
                    assert (image, is_mirrored, scale, number) in valid
    assert num_driving > 100


def test_a_mirrored_copy_mirrors_the_boxes():
    """Image 600 wide, box 10..40: mirrored 559..589 (W - x - 1); the wrong rule W - x
    would give 560..590. A chip of the single scale is the whole image, so the choice
    shows at a factor of 1 with chips of 64 px: it must hold 559..589."""
    table = BoxTable([600], [64], [1], [0, 1], [[10, 5, 40, 40]], [TRUTH])
    plan = ChipPlan((1.0,), ((-1, -1),), chip_px=64)
    plain, mirrored = plan_epoch(table, plan, 0, 0).corners.tolist()
    assert plain[0] <= 10 and plain[2] >= 40
    assert mirrored[0] <= 559 and mirrored[2] >= 589
    once = dataclasses.replace(plan, has_mirrored_copies=False)
    assert plan_epoch(table, once, 0, 0).corners.tolist() == [plain]


def test_boxes_are_clipped_a_pixel_short_of_the_last_column_unless_told_otherwise():
    """612 x 512, stride 99: the grid's last bottom chip ends at 99 + 511 = 610.

    A box up to the last column, 611, is clipped to W - 2 = 610 by the original and so
    fits into that chip too; of 60 images some get it. Clipped to 611 it fits into the
    corner chips alone.
    """
    num = 60
    table = BoxTable(
        [612] * num,
        [512] * num,
        range(num),
        range(num + 1),
        [[520, 10, 611, 40]] * num,
        [TRUTH] * num,
    )
    both = []
    for as_original in (True, False):
        plan = ChipPlan(
            (1.0,),
            ((-1, -1),),
            stride_range_px=(99, 99),
            has_mirrored_copies=False,
            as_original=as_original,
        )
        both.append({row[2] for row in plan_epoch(table, plan, 0, 0).corners.tolist()})
    assert both == [{610, 611}, {611}]


def test_ignored_boxes_drive_nothing_and_are_valid_nowhere():
    boxes = [[10, 10, 60, 60], [20, 20, 70, 70]]
    plan = ChipPlan(((-1, 512),), ((-1, -1),), has_mirrored_copies=False)
    for kinds, valid in (([0, 2], [(0,)]), ([2, 2], [])):
        table = BoxTable([100], [100], [1], [0, 2], boxes, kinds)
        chips = plan_epoch(table, plan, 0, 0)
        assert [chips.chip(i).valid_boxes for i in range(len(chips))] == valid


def test_boxes_with_swapped_corners_drive_nothing():
    """As [10, 10, 9, 510], what is left of a box without width in inclusive corners;
    its longer side would send it to the coarsest scale."""
    boxes = [[10, 10, 9, 510], [30, 60, 40, 20], [10, 10, 10, 10]]
    plan = ChipPlan((1.0, (-1, 512)), ((-1, 300), (-1, -1)), side_limit_px=450)
    table = BoxTable([600], [600], [1], [0, 3], boxes, [TRUTH, PROPOSAL, TRUTH])
    assert table.kinds.tolist() == [IGNORED, IGNORED, TRUTH]
    both = [plan_epoch(table, plan, 0, 0, backend=b) for b in ('numba', 'numpy')]
    assert_equal(*both)
    # The box of one pixel has no side of 2: the coarsest scale alone takes it.
    assert both[0].scale_indices.tolist() == [1, 1]
    assert both[0].valid_boxes.tolist() == []


def test_a_very_long_image_is_a_pixel_high_at_least():
    """2000 x 2 at a longer side of 512 would be 0.5 pixels high."""
    table = BoxTable([2000], [2], [1], [0, 1], [[0, 0, 1999, 1]], [TRUTH])
    plan = ChipPlan(((-1, 512),), ((-1, -1),), has_mirrored_copies=False)
    for backend in ('numba', 'numpy'):
        chips = plan_epoch(table, plan, 0, 0, backend=backend)
        assert chips.corners.tolist() == [[0, 0, 511, 0]]


def test_arguments_stay_as_they_were_and_an_empty_table_has_no_chips():
    table = random_table()
    before = {f.name: getattr(table, f.name).copy() for f in dataclasses.fields(table)}
    plan_epoch(table, VOC, 0, 0)
    for name, column in before.items():
        assert np.array_equal(column, getattr(table, name)), name
    nothing = BoxTable([], [], [], [0], np.zeros((0, 4)), [])
    for backend in ('numba', 'numpy'):
        assert len(plan_epoch(nothing, VOC, 0, 0, backend=backend)) == 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(seed=-1, epoch=0), 'seed: expected 0 or more, .* got -1'),
        (dict(seed=0, epoch=-2), 'epoch: expected 0 or more, .* got -2'),
        (dict(seed=0, epoch=0, backend='c'), "backend: expected 'numba' or .* got 'c'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_epoch(random_table(2), VOC, **arguments)
