"""A loss that is no number stops a training before the weights change.

Without shuffling nan0 is in the 9th batch of 2.
"""

import json
from pathlib import Path

import pytest
import torch
from toy_images import logged, make_images, toy_config, trace, train, weight_of

from mmdetxfer.engine import ExactRunner
from mmdetxfer.engine.random_state import set_random_state
from mmdetxfer.errors import UserError

GOOD = ' '.join(f'good{k}' for k in range(17))


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp('images'), f'{GOOD} nan0')


def nan_config(work_dir: Path, images: Path, **settings):
    cfg = toy_config(work_dir, images, f'{GOOD} nan0', **settings)
    cfg.train_dataloader.sampler.shuffle = False
    return cfg


@pytest.mark.parametrize('length', [dict(max_epochs=2), dict(max_iters=18)])
def test_a_loss_that_is_no_number_stops_and_is_written_down(images, tmp_path, length):
    with pytest.raises(UserError) as error:
        train(nan_config(tmp_path, images, **length))
    file = tmp_path / 'nonfinite_loss_iter_9_rank_0.json'
    said = 'the loss is nan at iteration 9: its images, loss parts and random state are'
    assert str(error.value).startswith(f'{said} in {file}; ')
    report = json.loads(file.read_text())
    parts = report.pop('loss_parts')
    assert parts['loss_a'] == 'nan'
    assert len(parts['loss_b']) == 2 and all(one > 0 for one in parts['loss_b'])
    paths = [f'{images}/{name}.jpg' for name in ('good16', 'nan0')]
    assert report == dict(
        iteration=9,
        epoch=1,
        rank=0,
        seed=5,
        position=16,
        loss='nan',
        learning_rates={'lr': [0.01]},
        images=[dict(img_id=Path(path).stem, img_path=path) for path in paths],
        random_state_before='nonfinite_loss_iter_9_rank_0.pt',
    )


def test_the_weights_are_those_of_the_iteration_before(images, tmp_path):
    runner = ExactRunner.from_cfg(nan_config(tmp_path, images))
    pytest.raises(UserError, runner.train)
    rows = trace(tmp_path)
    assert len(rows) == 8 and len({row['weight'] for row in rows}) == 8
    assert weight_of(runner) == rows[-1]['weight']


def test_the_random_state_before_the_iteration_lies_beside_it(images, tmp_path):
    """The toy draws one number in an iteration, then comes what this process draws."""
    pytest.raises(UserError, train, nan_config(tmp_path, images))
    drawn_next = torch.rand(3)
    file = tmp_path / 'nonfinite_loss_iter_9_rank_0.pt'
    set_random_state(torch.load(file, weights_only=True))
    torch.rand(1)
    assert torch.equal(torch.rand(3), drawn_next)


def test_scaled_losses_and_gradients_that_overflow_are_no_reason_to_stop(
    images, tmp_path
):
    cfg = toy_config(tmp_path, images, GOOD)
    cfg.optim_wrapper.type = 'Overflowing'
    runner = train(cfg)
    assert runner.iter == 9 and not list(tmp_path.glob('nonfinite_loss_*'))


def test_a_model_that_parses_no_losses_is_stopped_too(images, tmp_path):
    cfg = nan_config(tmp_path, images)
    cfg.model.parses = False
    with pytest.raises(UserError, match='the loss is nan at iteration 9'):
        train(cfg)
    report = json.loads((tmp_path / 'nonfinite_loss_iter_9_rank_0.json').read_text())
    assert [one['img_id'] for one in report['images']] == ['good16', 'nan0']


def test_a_report_that_cannot_be_written_is_logged_and_the_training_stops(
    images, tmp_path
):
    """A folder stands where the random state should go."""
    (tmp_path / 'nonfinite_loss_iter_9_rank_0.pt').mkdir()
    with pytest.raises(UserError, match='the loss is nan at iteration 9'):
        train(nan_config(tmp_path, images))
    assert len(logged(tmp_path, 'could not be written')) == 1


def test_the_model_is_left_as_it_was(images, tmp_path):
    runner = train(toy_config(tmp_path, images, GOOD))
    assert 'parse_losses' not in vars(runner.model)
