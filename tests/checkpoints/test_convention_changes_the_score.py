"""The convention that a file carries decides the score, and travels on with it.

The network names the channel that is largest after normalisation; its weights belong to
RGB with mean (100, 150, 200) and std 1. By hand, for the three images (R, G, B):

| image | as the weights want it | label | BGR, same numbers | RGB as torchvision's |
|---|---|---|---|---|
| (120, 140, 190) | (20, -10, -10) | 0 | (90, -10, -80): 0 | (-0.1, 0.4, 1.5): 2 |
| (90, 160, 195) | (-10, 10, -5) | 1 | (95, 10, -110): 0 | (-0.6, 0.8, 1.6): 2 |
| (95, 140, 210) | (-5, -10, 10) | 2 | (110, -10, -105): 0 | (-0.5, 0.4, 1.9): 2 |

So the right convention scores 1, and each of the two wrong ones 1/3.
"""

import itertools
import json
from pathlib import Path

import pytest
import torch
from toy_runs import tool_arguments, toy_config, toy_model

from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.engine import launching
from mmdetxfer.errors import UserError

COLOURS = [(120, 140, 190), (90, 160, 195), (95, 140, 210)]
RIGHT = {'channel_order': 'rgb', 'mean': [100, 150, 200], 'std': [1, 1, 1]}
SWAPPED = {**RIGHT, 'channel_order': 'bgr'}

_run_numbers = itertools.count()


@pytest.fixture
def weights(tmp_path):
    """The file of the network that the table above describes."""
    state = toy_model().state_dict()
    state['backbone.conv.weight'] = torch.eye(3).view(3, 3, 1, 1)
    state['head.weight'], state['head.bias'] = torch.eye(3), torch.zeros(3)
    content = {'state_dict': state, 'meta': {'input_convention': RIGHT}}
    torch.save(content, tmp_path / 'weights.pth')
    return tmp_path / 'weights.pth'


@pytest.fixture
def arguments(tmp_path):
    """Arguments of the tools, for a config with torchvision's preprocessor."""
    found = tool_arguments(tmp_path)
    cfg = toy_config(tmp_path / 'run')
    cfg.model.data_preprocessor.update(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    )
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset = dict(type='ToyColourDataset', colours=COLOURS)
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.dump(found.config)
    found.out = found.show = found.show_dir = found.tta = None
    found.resume, found.amp, found.auto_scale_lr = None, False, False
    return found


def score(arguments, checkpoint, options=None) -> float:
    """Test as the tool does and read the metric that it wrote."""
    # mmengine shares logs between runs of one name that start in the same second.
    run_dir = f'{arguments.config}.{checkpoint.name}.{next(_run_numbers)}'
    own = {'experiment_name': Path(run_dir).name}
    arguments.checkpoint, arguments.work_dir = str(checkpoint), run_dir
    arguments.cfg_options = {**own, **(options or {})}
    launching.test(arguments)
    (metrics,) = Path(run_dir).glob('*/2*.json')
    return json.loads(metrics.read_text())['toy/accuracy']


def without_a_convention(weights):
    content = torch.load(weights, weights_only=True)
    del content['meta']
    torch.save(content, weights.with_name('bare.pth'))
    return weights.with_name('bare.pth')


def test_the_carried_convention_gives_the_score_by_hand(arguments, weights, capsys):
    assert score(arguments, weights) == 1
    line = [x for x in capsys.readouterr().out.splitlines() if 'input convention' in x]
    assert 'RGB mean 100/150/200' in line[0] and 'replaced data_preprocessor' in line[0]


@pytest.mark.parametrize('wrong', ['from_config', SWAPPED], ids=['torchvision', 'bgr'])
def test_a_wrong_convention_scores_a_third(arguments, weights, wrong):
    bare = without_a_convention(weights)
    options = {'input_convention': wrong}
    assert score(arguments, bare, options) == pytest.approx(1 / 3)
    assert score(arguments, bare, {'input_convention': RIGHT}) == 1


def test_a_wrong_statement_about_weights_that_know_better_is_refused(
    arguments, weights
):
    with pytest.raises(UserError, match='states BGR .* was trained with RGB mean 100'):
        score(arguments, weights, {'input_convention': SWAPPED})


def test_weights_that_say_nothing_are_not_tested_on_a_guess(arguments, weights):
    with pytest.raises(UserError, match='of .*bare.pth is not known; state it'):
        score(arguments, without_a_convention(weights))


def test_the_convention_travels_with_the_fine_tuned_weights(arguments, weights):
    """Trained (at a learning rate of 0) from the weights, then tested from its file."""
    arguments.cfg_options = {'load_from': str(weights)}
    launching.train(arguments)
    run = weights.parent / 'run'
    for path in [run / 'epoch_2.pth', *run.glob('best_*.pth')]:
        carried = read_checkpoint(path)['meta']['input_convention']
        assert (carried['channel_order'], carried['mean']) == ('rgb', [100, 150, 200])
        assert (
            torch.load(path, weights_only=True)['meta']['input_convention'] == carried
        )
    trained = torch.load(run / 'epoch_2.pth', weights_only=True)
    state = trained['state_dict']
    # Batch norm has seen other images; the head and the convolution are as they were.
    state['backbone.norm.running_mean'].zero_()
    state['backbone.norm.running_var'].fill_(1)
    torch.save(trained, run / 'as_before.pth')
    assert score(arguments, run / 'as_before.pth') == 1
