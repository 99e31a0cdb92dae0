"""A killed and resumed training equals, bit for bit, the one that was never killed."""

import json
from pathlib import Path

import pytest
import torch
from toy_training import (
    BATCHES_PER_EPOCH,
    assert_same_training,
    detector_config,
    make_data,
    trace,
    train,
    weights,
)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('data') / 'coco')


def config(data: Path, folder: Path, by_epoch: bool, interval: int | None = None):
    cfg = detector_config(data, folder, by_epoch)
    cfg.randomness = dict(seed=3)
    if interval is not None:
        cfg.default_hooks.checkpoint.update(by_epoch=False, interval=interval)
    return cfg


@pytest.fixture(scope='module')
def whole_epochs(data, tmp_path_factory):
    """The training by epochs that nobody killed."""
    folder = tmp_path_factory.mktemp('whole') / 'epochs'
    train(config(data, folder, by_epoch=True))
    return folder


@pytest.fixture(scope='module')
def whole_iterations(data, tmp_path_factory):
    """The training by iterations that nobody killed."""
    folder = tmp_path_factory.mktemp('whole') / 'iterations'
    train(config(data, folder, by_epoch=False))
    return folder


def kill_and_resume(cfg_of, kills):
    """Train with a kill after each entry of ``kills``, resuming without a seed."""
    lines = []
    for number, kill in enumerate([*kills, None]):
        cfg = cfg_of()
        if number > 0:
            # The seed has to come from the checkpoint.
            cfg.randomness = dict(seed=None)
        resume = 'auto' if number > 0 else None
        if kill is None:
            lines.append(train(cfg, resume))
        else:
            train(cfg, resume, kill)
    return lines[-1]


def test_a_killed_epoch_training_goes_on_bit_for_bit(data, whole_epochs, tmp_path):
    """Killed three times: in the second epoch, in a save, and in a validation."""
    kills = [('train_iter', 14), ('save', 1), ('val_iter', 8)]
    kill_and_resume(lambda: config(data, tmp_path / 'run', True), kills)
    assert_same_training(tmp_path / 'run', whole_epochs, 'epoch_2.pth')


def test_iteration_checkpoints_resume_within_an_epoch(data, whole_epochs, tmp_path):
    """Saved every 4 iterations of 11 an epoch: the third save lies at batch 1 of 11."""
    folder, kills = tmp_path / 'run', [('save', 3), ('val_iter', 3)]
    line = kill_and_resume(lambda: config(data, folder, True, interval=4), kills)
    assert 'seed 3' in line
    assert trace(folder) == trace(whole_epochs)
    found, wanted = (
        weights(folder / 'iter_22.pth'),
        weights(whole_epochs / 'epoch_2.pth'),
    )
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_a_killed_iteration_training_goes_on_bit_for_bit(
    data, whole_iterations, tmp_path
):
    kills = [('save', 2), ('val_iter', 4)]
    kill_and_resume(lambda: config(data, tmp_path / 'run', False), kills)
    assert_same_training(tmp_path / 'run', whole_iterations, 'iter_22.pth')


def test_the_trainings_are_random_enough_that_the_comparison_can_fail(
    data, whole_epochs, tmp_path
):
    """Another seed gives other images, losses and weights at every iteration."""
    cfg = config(data, tmp_path / 'other', True)
    cfg.randomness = dict(seed=4)
    train(cfg)
    mine, theirs = trace(tmp_path / 'other'), trace(whole_epochs)
    assert all(mine[i]['loss'] != theirs[i]['loss'] for i in mine)


def test_samples_do_not_depend_on_the_number_of_workers(data, whole_epochs, tmp_path):
    cfg = detector_config(data, tmp_path / 'run', num_workers=0)
    cfg.randomness = dict(seed=3)
    train(cfg)
    assert_same_training(tmp_path / 'run', whole_epochs, 'epoch_2.pth')


@pytest.fixture(scope='module')
def whole_of_two_ranks(data, tmp_path_factory):
    """The training of two processes that nobody killed."""
    folder = tmp_path_factory.mktemp('whole') / 'ranks'
    train(config(data, folder, by_epoch=True, interval=2), num_ranks=2)
    return folder


def test_two_ranks_go_on_bit_for_bit(data, whole_of_two_ranks, tmp_path):
    """11 images a rank are 6 batches, the last one of 1; killed at iteration 9 of
    12."""
    folder = tmp_path / 'run'
    train(config(data, folder, True, 2), None, ('train_iter', 9), num_ranks=2)
    line = train(config(data, folder, True, 2), 'auto', num_ranks=2)
    assert 'written by 2 ranks' in line
    assert_same_training(folder, whole_of_two_ranks, 'iter_12.pth')
    assert trace(folder, rank=1) == trace(whole_of_two_ranks, rank=1)


def test_other_ranks_and_threads_are_said(data, whole_of_two_ranks, tmp_path):
    cfg = config(data, tmp_path / 'run', True, 2)
    printed = train(cfg, str(whole_of_two_ranks / 'iter_10.pth'))
    assert 'resumed with 1 ranks, written with 2' in printed
    assert 'an epoch has 11 batches now and had 6' in printed


def test_every_epoch_sees_each_image_once_in_another_order(whole_epochs):
    images = [row['images'] for _, row in sorted(trace(whole_epochs).items())]
    first = sum(images[:BATCHES_PER_EPOCH], [])
    second = sum(images[BATCHES_PER_EPOCH:], [])
    assert len(set(first)) == 22 and sorted(first) == sorted(second) != second
    assert first != second


def test_a_damaged_newest_checkpoint_is_passed_over(data, whole_epochs, tmp_path):
    folder = tmp_path / 'run'
    train(config(data, folder, True, interval=4), kill=('train_iter', 14))
    newest = folder / 'iter_12.pth'
    newest.write_bytes(newest.read_bytes()[:-100])
    line = train(config(data, folder, True, interval=4), 'auto')
    assert 'passed over' in line and 'iter_12.pth is damaged' in line
    # The first validation, after iteration 11, found a best score and saved again.
    assert 'iter_11.pth: epoch 1, iteration 11' in line
    assert trace(folder) == trace(whole_epochs)


def test_a_new_training_killed_before_its_first_save_is_not_taken_for_the_former_one(
    data, whole_epochs, tmp_path
):
    """The folder holds a finished training of another seed."""
    folder = tmp_path / 'run'
    former = config(data, folder, True)
    former.randomness, former.train_cfg.max_epochs = dict(seed=4), 1
    train(former)
    train(config(data, folder, True), kill=('train_iter', 5))
    line = train(config(data, folder, True), 'auto')
    assert f'nothing to resume in {folder}: new training' in line
    assert_same_training(folder, whole_epochs, 'epoch_2.pth')
    assert (folder / 'former_1' / 'epoch_1.pth').is_file()
    # A third training that resumes sets nothing aside.
    train(config(data, folder, True), 'auto')
    assert not (folder / 'former_2').exists()


def test_iteration_checkpoints_are_rounded_up_to_whole_accumulations(data, tmp_path):
    """Every 3 iterations with 2 accumulated: saved at 4, 8 and at the end, 9."""
    cfg = config(data, tmp_path / 'run', by_epoch=False)
    cfg.default_hooks.checkpoint.update(interval=3, save_best=None)
    cfg.train_cfg.max_iters = 9
    train(cfg)
    saved = sorted(path.stem for path in (tmp_path / 'run').glob('*.pth'))
    assert saved == ['iter_4', 'iter_8', 'iter_9']


def test_what_was_written_needs_no_allow_list(whole_epochs):
    checkpoint = torch.load(whole_epochs / 'epoch_2.pth', weights_only=True)
    assert checkpoint['meta']['seed'] == 3
    assert 'cfg' not in checkpoint['meta']
    assert json.dumps(checkpoint['message_hub']['runtime_info'])
