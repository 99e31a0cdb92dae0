"""From an image to a chip: the window, the pixels, and the three states of boxes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.utils import register_all_modules
from toy_boxes import coco, voc, write_image

from mmdetxfer.chips import Chip, ChipPlan
from mmdetxfer.chips.crop import (
    IGNORED,
    NOT_VALID,
    VALID,
    box_states,
    boxes_in_chip,
    chip_meta,
    crop_window,
    largest_divisor,
)
from mmdetxfer.datasets import ChipDataset, ChipIndex, UnreadableImageError
from mmdetxfer.datasets.chip_transforms import LoadChipImage, PackChipInputs
from mmdetxfer.errors import UserError

register_all_modules(init_default_scope=False)
PLAN = ChipPlan((2.0, (-1, 50)), ((-1, 20), (20, -1)), chip_px=64)
STRICT = ChipPlan(PLAN.scales, PLAN.valid_ranges, chip_px=64, as_original=False)
WIDTH, HEIGHT = 100, 80


def chip(corners, factor=2.0, mirrored=False, scale=0, valid=()) -> Chip:
    return Chip(0, mirrored, scale, False, factor, corners, valid)


def test_the_window_is_cut_to_whole_pixels_and_loses_its_last_ones():
    """Corners 15 and 78 at a factor of 2: 7.5 to 39, so columns 7 to 38.

    Without the oddities the 64 columns are 32 of the image: 7 to 39.5 -> 40.
    """
    one = chip((15, 20, 78, 83))
    assert crop_window(one, PLAN, WIDTH, HEIGHT) == (7, 10, 39, 41)
    assert crop_window(one, STRICT, WIDTH, HEIGHT) == (7, 10, 40, 42)


def test_a_mirrored_window_lies_as_far_from_the_other_side():
    """Columns 7 to 38 of the mirrored image are 100 - 39 = 61 to 92 of the image."""
    one = chip((15, 20, 78, 83), mirrored=True)
    assert crop_window(one, PLAN, WIDTH, HEIGHT) == (61, 10, 93, 41)


def test_a_window_is_never_empty_and_never_outside():
    assert crop_window(chip((0, 0, 0, 0)), PLAN, WIDTH, HEIGHT) == (0, 0, 1, 1)
    far = chip((900, 0, 963, 63))
    assert crop_window(far, PLAN, WIDTH, HEIGHT) == (99, 0, 100, 31)


def test_boxes_are_moved_by_the_unrounded_start_scaled_rounded_and_clipped():
    """Chip from (7.5, 10): box 10..20 is 2.5..12.5, doubled 5..25; 10.3 is 5.6 -> 6.

    Box 30..60 reaches to 105, clipped to 63 (as the original's limit, chip - 1).
    """
    one = chip((15, 20, 78, 83))
    boxes = np.array([[10, 20, 20, 30], [10.3, 20, 30.3, 60]])
    inside, kept = boxes_in_chip(boxes, one, PLAN, WIDTH)
    assert inside.tolist() == [[5, 20, 25, 40], [6, 20, 46, 63]]
    assert kept.tolist() == [True, True]
    exact, _ = boxes_in_chip(boxes, one, STRICT, WIDTH)
    assert exact[1] == pytest.approx([5.6, 20, 45.6, 63])


def test_a_box_that_is_left_too_small_is_dropped():
    """10 px in chips of 512 are 1.25 in chips of 64, with the + 1: 0.25 of a pixel
    between the corners is enough, which rounds to none, and none is enough for 1."""
    plan = ChipPlan(PLAN.scales, PLAN.valid_ranges, chip_px=64, min_box_px=10)
    one = chip((0, 0, 63, 63))
    boxes = np.array([[0, 0, 4, 30], [0, 0, 4.5, 30], [29, 0, 60, 30], [27, 0, 60, 30]])
    inside, kept = boxes_in_chip(boxes, one, plan, WIDTH)
    # 4 -> 8: 9 px wide; 4.5 -> 9: 10 px wide; from 58: 6 px; from 54: 10 px.
    assert kept.tolist() == [False, True, False, True]
    assert inside[2].tolist() == [58, 0, 63, 60]


def test_boxes_beside_the_chip_are_dropped_even_where_a_pixel_is_enough():
    plan = ChipPlan(PLAN.scales, PLAN.valid_ranges, chip_px=64, min_box_px=1)
    one = chip((64, 0, 127, 63))
    boxes = np.array(
        [[0, 0, 20, 20], [0, 0, 32, 20], [70, 0, 80, 20], [40, 40, 50, 50]]
    )
    assert boxes_in_chip(boxes, one, plan, WIDTH)[1].tolist() == [0, 1, 0, 0]


def test_a_mirrored_box_is_mirrored_first():
    """Box 10..20 of 100 columns is 79..89 mirrored; in a chip from 64 / 2 = 32 on: 47..
    57, doubled 94..114, clipped to 63."""
    one = chip((64, 0, 127, 63), mirrored=True)
    inside, _ = boxes_in_chip(np.array([[50.0, 0, 60, 20]]), one, PLAN, WIDTH)
    # 99 - 60 = 39 and 49: less 32 and doubled 14 and 34.
    assert inside.tolist() == [[14, 0, 34, 40]]


def test_the_three_states():
    """Box 1 is valid, 2 is not, 3 is its twin in the chip, 4 is ignored whatever."""
    inside = np.array([[0, 0, 9, 9], [5, 5, 20, 20], [0, 0, 9, 9], [0, 0, 9, 9]])
    kept = np.ones(4, bool)
    states = box_states(inside, kept, chip((0,) * 4, valid=(0,)), [0, 0, 0, 1])
    assert states.tolist() == [VALID, NOT_VALID, VALID, IGNORED]
    states = box_states(inside, kept, chip((0,) * 4, valid=(1,)), [0, 0, 0, 0])
    assert states.tolist() == [NOT_VALID, VALID, NOT_VALID, NOT_VALID]


def test_the_valid_sizes_and_the_extent_in_chip_pixels():
    """At a factor of 2: no lower bound is 0, 20 is 40. Coarsest: 20 * 0.5, the chip's
    side for no upper bound, and the scaled image 50 x 40 as the extent."""
    finest = chip_meta(chip((0, 0, 63, 63)), PLAN, WIDTH, HEIGHT)
    assert finest['valid_range_px'] == (0, 40) and finest['chip_extent'] == (64, 64)
    coarsest = chip((0, 0, 49, 39), factor=0.5, scale=1)
    coarsest = chip_meta(coarsest, PLAN, WIDTH, HEIGHT)
    assert coarsest['valid_range_px'] == (10, 64)
    assert coarsest['chip_extent'] == (40, 50) and coarsest['chip_scale'] == 1
    # An upper bound of the coarsest scale is not used.
    bounded = ChipPlan(PLAN.scales, ((-1, 20), (20, 30)), chip_px=64)
    whole = chip((0, 0, 49, 39), factor=0.5, scale=1)
    assert chip_meta(whole, bounded, WIDTH, HEIGHT)['valid_range_px'] == (10, 64)
    # Proposals may have ranges of their own.
    own = dict(proposal_ranges=((-1, 18), (16, -1)))
    lower = ChipPlan(PLAN.scales, PLAN.valid_ranges, chip_px=64, **own)
    assert chip_meta(whole, lower, WIDTH, HEIGHT)['valid_range_px'] == (8, 64)
    finest = chip_meta(chip((0, 0, 63, 63)), lower, WIDTH, HEIGHT)
    assert finest['valid_range_px'] == (0, 36)


LOAD = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=False),
]
PIPELINE = [
    *LOAD,
    dict(type='mmdetxfer.CropToChip'),
    dict(type='mmdetxfer.PackChipInputs'),
]
BOXES = [(10, 20, 11, 11), (60, 50, 20, 20), (12, 22, 8, 8, True), (70, 10, 8, 8)]


@pytest.fixture
def dataset(tmp_path):
    config = coco(tmp_path, [dict(width=WIDTH, height=HEIGHT, boxes=BOXES)])
    return ChipDataset(config, PLAN, PIPELINE)


@pytest.mark.parametrize('mirrored', [False, True])
def test_the_pixels_are_those_of_the_scaled_crop(dataset, mirrored):
    one = chip((14, 20, 77, 83), mirrored=mirrored)
    packed = dataset[ChipIndex(0, one)]
    image = cv2.imread(packed['data_samples'].img_path)
    image = image[:, ::-1] if mirrored else image
    expected = cv2.resize(image[10:41, 7:38], None, fx=2, fy=2)
    found = packed['inputs'].permute(1, 2, 0).numpy()
    assert np.array_equal(found, expected)
    # The chip's, not the picture's: anchors over the filling are background.
    assert packed['data_samples'].img_shape == (64, 64)
    assert packed['data_samples'].flip is mirrored


@pytest.mark.parametrize(('plan', 'shape'), [(PLAN, (39, 49)), (STRICT, (40, 50))])
def test_a_coarse_chip_is_no_larger_than_the_scaled_image(dataset, plan, shape):
    """50 x 40; the original cuts up to int(49 / 0.5) = 98 of 100 columns, so to 49."""
    dataset.plan = plan
    one = chip((0, 0, 49, 39), factor=0.5, scale=1)
    assert dataset[ChipIndex(0, one)]['inputs'].shape[1:] == shape


def test_the_packer_keeps_the_three_states_apart(dataset):
    """COCO's boxes end one further: 10..20 (11 wide) is 6..26 inclusive in the chip
    from 7, packed as 6..27. The crowd is ignored, box 1 lies elsewhere."""
    one = chip((14, 20, 77, 83), valid=(0,))
    sample = dataset[ChipIndex(0, one)]['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[6, 20, 27, 41]]
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[10, 24, 25, 39]]
    assert sample.ignored_instances.not_valid.tolist() == [False]
    sample = dataset[ChipIndex(0, chip((14, 20, 77, 83)))]['data_samples']
    assert len(sample.gt_instances) == 0
    others = sample.ignored_instances
    assert others.bboxes.tensor.tolist() == [[6, 20, 27, 41], [10, 24, 25, 39]]
    assert others.not_valid.tolist() == [True, False]
    assert others.labels.tolist() == [0, 0]
    assert sample.valid_range_px == (0, 40)


def test_the_packer_takes_the_keys_that_it_is_told(dataset):
    dataset.pipeline.transforms[-1] = PackChipInputs(meta_keys=('img_id', 'chip_scale'))
    sample = dataset[ChipIndex(0, chip((14, 20, 77, 83)))]['data_samples']
    assert sample.metainfo == dict(img_id=1, chip_scale=0)


@pytest.mark.parametrize('mirrored', [False, True])
def test_masks_follow_their_boxes(dataset, mirrored):
    """Each mask here is its box, so its extent in the chip must be the box's."""
    corners = (122, 20, 185, 83) if mirrored else (14, 20, 77, 83)
    sample = dataset[ChipIndex(0, chip(corners, mirrored=mirrored, valid=(0,)))]
    sample = sample['data_samples']
    (polygons,) = sample.gt_instances.masks.masks
    points = polygons[0].reshape(-1, 2)
    extent = [*points.min(0), *points.max(0)]
    box = sample.gt_instances.bboxes.tensor[0].tolist()
    assert np.abs(np.array(extent) - box).max() <= 1


def test_voc_boxes_keep_their_last_pixel(tmp_path):
    config = voc(tmp_path, [dict(width=WIDTH, height=HEIGHT, boxes=[(11, 21, 21, 31)])])
    pipeline = [dict(type='LoadImageFromFile'), *PIPELINE[2:]]
    pipeline.insert(1, dict(type='mmdet.LoadAnnotations', with_bbox=True))
    dataset = ChipDataset(config, PLAN, pipeline)
    sample = dataset[ChipIndex(0, chip((14, 20, 77, 83), valid=(0,)))]['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[6, 20, 26, 40]]


def test_a_plain_index_gives_a_chip_of_that_image_drawn_by_numpy(tmp_path):
    """As when the image of a chip cannot be read and another takes its place."""
    images = [dict(width=100, height=80, boxes=[]), dict(width=90, height=70, boxes=[])]
    images[1]['boxes'] = [(10, 10, 10, 10), (60, 40, 9, 9)]
    dataset = ChipDataset(coco(tmp_path, images), PLAN, PIPELINE)
    seen = set()
    for seed in range(12):
        np.random.seed(seed)
        sample = dataset[1]['data_samples']
        assert sample.img_id == 2 and len(sample.gt_instances) > 0
        seen.add(str(sample.gt_instances.bboxes.tensor.tolist()))
        np.random.seed(seed)
        again = dataset[1]['data_samples'].gt_instances.bboxes.tensor
        assert torch.equal(again, sample.gt_instances.bboxes.tensor)
    assert len(seen) > 1
    empty = dataset[0]
    assert empty['inputs'].shape[1:] == (39, 49)
    assert len(empty['data_samples'].gt_instances) == 0


@pytest.fixture
def smooth_jpeg(tmp_path):
    """A data set of one smooth JPEG of 400 x 320, decoded at a part of its size."""
    config = voc(tmp_path, [dict(width=400, height=320, boxes=[(11, 21, 211, 231)])])
    plan = ChipPlan(((-1, 64),), ((-1, -1),), chip_px=64)
    annotate = dict(type='mmdet.LoadAnnotations', with_bbox=True)

    def build(reduced):
        load = dict(type='mmdetxfer.LoadChipImage', reduced_decoding=reduced)
        return ChipDataset(config, plan, [load, annotate, *PIPELINE[2:]])

    return build


@pytest.mark.parametrize('mirrored', [False, True])
@pytest.mark.parametrize('factor', [0.5, 0.2, 0.1])
def test_reduced_decoding_changes_pixels_a_little_and_nothing_else(
    smooth_jpeg, factor, mirrored
):
    last = (int(400 * factor) - 1, int(320 * factor) - 1)
    one = chip((0, 0, *last), factor=factor, mirrored=mirrored, valid=(0,))
    whole, reduced = (
        smooth_jpeg(switch)[ChipIndex(0, one)] for switch in (False, True)
    )
    assert whole['inputs'].shape == reduced['inputs'].shape
    difference = (whole['inputs'].float() - reduced['inputs'].float()).abs()
    # The picture is smooth: a place that is wrong by one cell of 8 would differ by 20.
    assert 0 < difference.mean() < 4
    for name in ('gt_instances', 'metainfo'):
        mine, theirs = (getattr(x['data_samples'], name) for x in (whole, reduced))
        assert str(mine).split(' at 0x')[0] == str(theirs).split(' at 0x')[0]


def test_the_divisor_leaves_no_fewer_pixels_than_the_chip_has():
    factors = (2.0, 0.51, 0.5, 0.26, 0.25, 0.126, 0.125, 0.01)
    assert [largest_divisor(f) for f in factors] == [1, 1, 2, 2, 4, 4, 8, 8]


@pytest.mark.parametrize('content', [300, 0, None], ids=['cut', 'empty', 'gone'])
def test_an_image_that_cannot_be_decoded_in_part_is_named(smooth_jpeg, content):
    dataset = smooth_jpeg(True)
    path = Path(dataset.get_data_info(0)['img_path'])
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:content])
    with pytest.raises(UnreadableImageError, match='000001.jpg cannot be read'):
        dataset[ChipIndex(0, chip((0, 0, 39, 31), factor=0.1))]


def test_an_image_of_another_size_than_its_annotation_is_decoded_whole(smooth_jpeg):
    whole, reduced = (smooth_jpeg(switch) for switch in (False, True))
    write_image(Path(reduced.get_data_info(0)['img_path']), 200, 160)
    one = ChipIndex(0, chip((0, 0, 19, 15), factor=0.1))
    assert torch.equal(whole[one]['inputs'], reduced[one]['inputs'])


def test_reduced_decoding_knows_colour_images_by_opencv_alone():
    for option in (dict(color_type='grayscale'), dict(imdecode_backend='pillow')):
        with pytest.raises(ValueError, match='reduced_decoding: expected color_type'):
            LoadChipImage(reduced_decoding=True, **option)
        LoadChipImage(**option)


def test_groups_of_objects_are_ignored_as_mmdets_readers_do_not(dataset):
    """OpenImages' group-of, in the words of mmdet's two readers."""
    inner = dataset.dataset
    infos = [inner.get_data_info(0) for _ in range(2)]
    infos[0]['instances'][0]['is_group_of'] = True
    infos[1]['instances'][1]['is_group_ofs'] = True
    flags = []
    for info in infos:
        inner.get_data_info = lambda index, info=info: info
        flags.append(
            [one['ignore_flag'] for one in dataset.get_data_info(0)['instances']]
        )
        assert dataset.box_table().kinds.tolist() == [2 * flag for flag in flags[-1]]
    assert flags == [[1, 0, 1, 0], [0, 1, 1, 0]]


def test_mmdets_packer_would_make_background_of_boxes_and_is_refused(tmp_path):
    config = coco(tmp_path, [dict(width=WIDTH, height=HEIGHT, boxes=BOXES)])
    pipeline = [*PIPELINE[:-1], dict(type='mmdet.PackDetInputs')]
    with pytest.raises(UserError, match='expected mmdetxfer.PackChipInputs'):
        ChipDataset(config, PLAN, pipeline)


def test_boxes_must_not_be_dropped_before_the_crop(tmp_path):
    config = coco(tmp_path, [dict(width=WIDTH, height=HEIGHT, boxes=BOXES)])
    drop = dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(15, 15))
    dataset = ChipDataset(config, PLAN, [*LOAD, drop, *PIPELINE[2:]])
    with pytest.raises(UserError, match=r'1.png: CropToChip expected all 4 boxes .* 1'):
        dataset[ChipIndex(0, chip((14, 20, 77, 83)))]
