"""Two training checkpoints are equal when every bit that decides the training is."""

import copy

import numpy as np
import torch

from mmdetxfer.checkpoints.comparing import are_equal, differing_parts


def saved(path, change=None):
    checkpoint = {
        'meta': {'iter': 3, 'epoch': 1, 'time': path.name},
        'state_dict': {'w': torch.tensor([1.0, float('nan')]), 'n': torch.tensor(2)},
        'optimizer': {'state': {0: {'m': torch.zeros(2)}}, 'lr': [0.1]},
        'param_schedulers': [{'last_step': 3}],
        'mmdetxfer_progress': {'ranks': [{'random_state': {'torch': torch.ones(3)}}]},
    }
    if change is not None:
        change(checkpoint)
    torch.save(copy.deepcopy(checkpoint), path)
    return path


def test_times_and_names_do_not_count_and_nan_equals_itself(tmp_path):
    assert differing_parts(saved(tmp_path / 'a.pth'), saved(tmp_path / 'b.pth')) == []


def test_each_decisive_part_is_named(tmp_path):
    changes = {
        'iter': lambda c: c['meta'].update(iter=4),
        'state_dict.w': lambda c: c['state_dict'].update(w=torch.tensor([1.0, 2.0])),
        'state_dict.n': lambda c: c['state_dict'].update(n=torch.tensor(2.0)),
        'optimizer.state.0.m': lambda c: c['optimizer']['state'][0].update(
            m=torch.tensor([0.0, -0.0])
        ),
        'optimizer.lr.0': lambda c: c['optimizer'].update(lr=[0.2]),
        'param_schedulers.0.last_step': lambda c: c['param_schedulers'][0].clear(),
        'ranks.0.random_state.torch': lambda c: c['mmdetxfer_progress']['ranks'][0][
            'random_state'
        ].update(torch=torch.zeros(3)),
    }
    first = saved(tmp_path / 'a.pth')
    for name, change in changes.items():
        assert differing_parts(first, saved(tmp_path / 'b.pth', change)) == [name]


def test_nested_values_are_compared_as_plain_data():
    first = {'palette': np.arange(6).reshape(2, 3), 'classes': ('a', 'b')}
    assert are_equal(first, copy.deepcopy(first))
    assert not are_equal(first, {**first, 'palette': np.arange(6)})
    assert not are_equal(first, {**first, 'classes': ('a', 'c')})
    assert not are_equal(first, {'classes': ('a', 'b')})
