"""A training on chips that is killed in mid-epoch goes on with the very next chip."""

import pytest
import torch
from toy_training import (
    assert_same_training,
    detector_config,
    make_data,
    trace,
    train,
)

CHIPS_OF_64_PX_IMAGES = dict(
    scales=[(96, 96), (-1, 32)],
    valid_ranges=[(-1, 18), (14, -1)],
    chip_px=32,
    stride_range_px=(2, 9),
)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('data') / 'coco')


def chip_config(data, folder, interval=2):
    """The toy training, two epochs of chips instead of images."""
    cfg = detector_config(data, folder)
    cfg.randomness = dict(seed=3)
    cfg.model.data_preprocessor.pad_size_divisor = 32
    whole = cfg.train_dataloader.dataset.to_dict()
    load, annotate, _, _, distort, _ = whole.pop('pipeline')
    crop = dict(type='mmdetxfer.CropToChip')
    pack = dict(type='mmdetxfer.PackChipInputs')
    cfg.train_dataloader.batch_size = 4
    cfg.train_dataloader.sampler = dict(type='mmdetxfer.ChipSampler', shuffle=True)
    cfg.train_dataloader.dataset = dict(
        type='mmdetxfer.ChipDataset',
        dataset=whole,
        plan=CHIPS_OF_64_PX_IMAGES,
        pipeline=[load, annotate, crop, distort, pack],
    )
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=interval)
    return cfg


@pytest.fixture(scope='module')
def whole(data, tmp_path_factory):
    """The training that nobody killed."""
    folder = tmp_path_factory.mktemp('whole') / 'chips'
    train(chip_config(data, folder))
    return folder


def last_iteration(folder) -> str:
    return f'iter_{max(trace(folder)) + 1}.pth'


def test_an_epoch_is_all_chips_and_the_next_one_is_planned_anew(whole):
    """More batches than the 22 images give, in two epochs of equal length."""
    rows = [row['images'] for _, row in sorted(trace(whole).items())]
    assert len(rows) % 2 == 0 and len(rows) > 2 * 22 / 4
    half = len(rows) // 2
    assert rows[:half] != rows[half:]


def test_a_killed_training_on_chips_goes_on_bit_for_bit(data, whole, tmp_path):
    folder = tmp_path / 'run'
    train(chip_config(data, folder), kill=('train_iter', 7))
    train(chip_config(data, folder), 'auto')
    assert_same_training(folder, whole, last_iteration(whole))


def test_two_ranks_share_the_chips_and_go_on_bit_for_bit(data, whole, tmp_path):
    """Both ranks together see as many chips as one process, filled up to an even
    number; every rank other ones."""
    ranks = tmp_path / 'ranks'
    train(chip_config(data, ranks), num_ranks=2)
    shares = [
        [row['images'] for _, row in sorted(trace(ranks, rank=r).items())]
        for r in (0, 1)
    ]
    seen = [sum(len(batch) for batch in share) for share in shares]
    alone = sum(len(row['images']) for row in trace(whole).values())
    assert seen[0] == seen[1] and alone <= sum(seen) <= alone + 2
    assert shares[0] != shares[1]
    folder = tmp_path / 'run'
    train(chip_config(data, folder), None, ('train_iter', 5), num_ranks=2)
    train(chip_config(data, folder), 'auto', num_ranks=2)
    assert_same_training(folder, ranks, last_iteration(ranks))
    assert trace(folder, rank=1) == trace(ranks, rank=1)


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason='half precision (fp16) trains on GPUs alone'
)
def test_a_training_in_half_precision_goes_on_with_its_scale(data, tmp_path):
    """On a GPU sums have no fixed order: losses are near, images and scale the same."""

    def half_precision(folder):
        cfg = chip_config(data, folder)
        cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
        return cfg

    whole, folder = tmp_path / 'whole', tmp_path / 'run'
    train(half_precision(whole))
    train(half_precision(folder), kill=('train_iter', 7))
    train(half_precision(folder), 'auto')
    last = last_iteration(whole)
    scales = [
        torch.load(one / last, weights_only=True)['optimizer']['loss_scaler']
        for one in (folder, whole)
    ]
    assert scales[0] == scales[1]
    for mine, theirs in zip(trace(folder).values(), trace(whole).values(), strict=True):
        assert mine['images'] == theirs['images']
        for key in set(mine) - {'images', 'iter'}:
            own, other = float.fromhex(mine[key]), float.fromhex(theirs[key])
            assert own == pytest.approx(other, rel=0.05, abs=0.05)
