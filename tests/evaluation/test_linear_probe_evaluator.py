"""The evaluator that takes features: one rank or two, and what it refuses."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.linear_probe_evaluator import LinearProbeEvaluator
from mmdetxfer.probes import ProbeSettings, scored_probe

STRENGTHS = (0.1, 10.0)
LAYERS = {'Conv4 1x1': 5, 'Conv5 1x1': 3, 'FC1': 4}
NUM = {'train': 30, 'test': 12}


def samples():
    """Images of three classes; features of three layers, worse and worse."""
    rng = np.random.default_rng(0)
    found = []
    for part, count in NUM.items():
        for index in range(count):
            label = index % 3
            features = {
                layer: (rng.normal(size=size) + label * (size - 2)).astype(np.float32)
                for layer, size in LAYERS.items()
            }
            one = dict(part=part, index=index, gt_label=label, features=features)
            found.append(one)
    return found


def evaluated(own, size=42, classes=('a', 'b', 'c'), **settings):
    evaluator = LinearProbeEvaluator(STRENGTHS, device='cpu', **settings)
    if classes is not None:
        evaluator.dataset_meta = dict(classes=classes)
    evaluator.process(own)
    return evaluator.evaluate(size)


def test_each_layer_has_the_scores_of_its_probe_in_the_order_of_the_images():
    own = samples()
    # As they come from workers and ranks.
    found = evaluated(own[::-1])
    for layer in LAYERS:
        parts = []
        for part in NUM:
            rows = [one for one in own if one['part'] == part]
            parts.append(np.array([row['features'][layer] for row in rows]))
            parts.append(np.array([row['gt_label'] for row in rows]))
        settings = ProbeSettings(STRENGTHS)
        choice, expected = scored_probe(*parts, ('a', 'b', 'c'), settings)
        name = f'probe/{layer.replace(" ", "_")}'
        assert found.pop(f'{name}_top1') == expected.top1 > 0.4
        assert found.pop(f'{name}_mean_per_class') == expected.mean_per_class
        assert found.pop(f'{name}_strength') == choice.probe.strength
    assert not found


def test_features_are_forgotten():
    evaluator = LinearProbeEvaluator(STRENGTHS, device='cpu')
    evaluator.process(samples())
    first = evaluator.evaluate(42)
    evaluator.process(samples())
    assert evaluator.evaluate(42) == first
    # Of a call that ended half-way.
    evaluator.process(samples()[:7])
    evaluator.forget()
    evaluator.process(samples())
    assert evaluator.evaluate(42) == first
    assert evaluator.evaluate(0) == {}


def test_without_names_classes_are_numbers():
    assert evaluated(samples(), classes=None) == evaluated(samples())


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(size=43), 'probe of Conv4 1x1: expected 43 images, got 42'),
        (dict(classes=tuple('abcd')), "class 'd' has none"),
    ],
)
def test_images_and_classes_that_are_missing_are_named(change, message):
    with pytest.raises(UserError, match=message):
        evaluated(samples(), **change)


def test_classes_without_images_can_be_left_out():
    four = tuple('abcd')
    found = evaluated(samples(), classes=four, has_all_classes=False)
    assert found == evaluated(samples())


def test_any_failure_is_a_word_for_the_other_ranks(monkeypatch):
    def failing(*_):
        raise torch.OutOfMemoryError('too much')

    name = 'mmdetxfer.evaluation.linear_probe_evaluator.scored_probe'
    monkeypatch.setattr(name, failing)
    with pytest.raises(UserError, match='probe of Conv4 1x1: too much'):
        evaluated(samples())


def test_strengths_of_many_features_are_those_that_are_named():
    """Of 10,001 features those alone, else every so manyth of the others."""
    many = LinearProbeEvaluator(STRENGTHS, strengths_of_many=[3.0]).settings
    assert many.grid(10_001) == (3.0,) and many.grid(10_000) == STRENGTHS
    assert set(LinearProbeEvaluator(STRENGTHS).settings.grid(10_001)) == set(STRENGTHS)
    with pytest.raises(UserError, match='Evaluator: strengths_of_many: expected one'):
        LinearProbeEvaluator(strengths_of_many=[])


@pytest.mark.parametrize(
    'train, test, more, message',
    [
        ([0, 0, 1, 1], [0], {}, "class 'c' has none"),
        ([0, 0, 1, 1, 2, 2], [3], {}, 'expected 0 to 2 in the test, got 3'),
        (
            [0, 0, 1, 1, 2],
            [0],
            {},
            "class 'c': expected 2 images or more, one to learn",
        ),
        ([0, 0, 1, 1], [2], dict(has_all_classes=False), "to learn from, 'c' is not"),
    ],
)
def test_labels_alone_show_what_no_probe_can_be_chosen_with(train, test, more, message):
    evaluator = LinearProbeEvaluator(STRENGTHS, device='cpu', **more)
    evaluator.dataset_meta = dict(classes=('a', 'b', 'c'))
    with pytest.raises(UserError, match=f'linear probes: .*{message}'):
        evaluator.check_labels(dict(train=train, test=test))


def test_labels_of_which_probes_can_be_chosen_pass():
    evaluator = LinearProbeEvaluator(STRENGTHS, device='cpu', has_all_classes=False)
    evaluator.dataset_meta = dict(classes=('a', 'b', 'c'))
    evaluator.check_labels(dict(train=[0, 0, 2, 2], test=[2]))
    evaluator.dataset_meta = None
    evaluator.check_labels(dict(train=(0, 0, 1, 1), test=(1,)))


def test_settings_that_choose_nothing_are_refused():
    with pytest.raises(UserError, match='LinearProbeEvaluator: held_out: expected'):
        LinearProbeEvaluator(held_out=2.0)


RANK = """
import json, sys
import torch
from mmengine.dist import get_rank
sys.path.insert(0, sys.argv[1])
torch.distributed.init_process_group('gloo')
from test_linear_probe_evaluator import UserError, evaluated, samples
rank = get_rank()
torch.set_num_threads(1)
answers = [evaluated(samples()[rank::2])]
own = samples()
own[5]['features']['FC1'][:] = float('nan')
try:
    evaluated(own[rank::2])
except UserError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def test_two_ranks_say_what_one_says_also_of_what_one_of_them_found_wrong():
    torch.set_num_threads(1)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    words = [sys.executable, '-W', 'ignore', '-c', RANK, str(Path(__file__).parent)]
    ranks = []
    for rank in range(2):
        place = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, WORLD_SIZE='2')
        environment = {**os.environ, **place, 'RANK': str(rank), 'OMP_NUM_THREADS': '1'}
        settings = dict(env=environment, text=True, stdout=subprocess.PIPE)
        ranks.append(subprocess.Popen(words, **settings))
    told = [rank.communicate(timeout=120)[0] for rank in ranks]
    assert all(rank.returncode == 0 for rank in ranks)
    first, second = (json.loads(one.splitlines()[-1]) for one in told)
    assert first == second
    assert first[0] == evaluated(samples())
    assert (
        first[1] == 'probe of FC1: features: expected finite numbers, row 5 has others'
    )
