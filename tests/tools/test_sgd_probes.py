"""tools/benchmarks/sgd_probes.py: what it runs, grants the baseline, and says."""

import argparse
import json
import re

import pytest
from mmengine.config import Config
from tool_runner import REPOSITORY

from mmdetxfer.errors import UserError
from mmdetxfer.probes import STRENGTHS

RIGHT = [1, 1, 1, 0]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'tools' / 'benchmarks')
    import sgd_probes

    return sgd_probes


@pytest.fixture
def calls(tool, tmp_path, monkeypatch):
    """What is run. SGD has 60 % right after an epoch, 75 after two, less by rates."""
    found = []
    words = dict(config=str(REPOSITORY / tool.CONFIG), checkpoint='{seed}.pth')
    words.update(network=str(REPOSITORY / tool.NETWORK), threads=1)
    words.update(seeds=[3, 5], epochs=[1, 2], rates=[1.0, 0.5])

    def train(args):
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
        found.append(cfg)
        top1 = 45 + 15 * cfg.train_cfg.max_epochs
        top1 -= 10 * (cfg.optim_wrapper.optimizer.lr - 0.5)
        path = tmp_path / args.work_dir / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        rows = [dict(loss=1.0, step=1), {'accuracy/top1': top1, 'step': 2}]
        path.write_text('\n'.join(map(json.dumps, rows)))
        print('a log')

    def fitted(plan, place, folders, *_):
        found.append((plan, place))
        assert folders == 'folders'
        return {'Conv5 1x1': dict(right=RIGHT)}

    for seed in words['seeds']:
        (tmp_path / f'{seed}.pth').touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tool, 'train', train)
    monkeypatch.setattr(tool, 'extract', lambda *_, **__: 'folders')
    monkeypatch.setattr(tool, 'fitted', fitted)
    args = argparse.Namespace(**words)
    monkeypatch.setattr(tool, 'parse_args', lambda: args)
    return args, found


def test_each_seed_has_a_probe_and_every_length_and_rate(tool, calls, capsys):
    """75 % of ours are reached after two epochs, at the better rate alone."""
    _, found = calls
    tool.main.__wrapped__()
    # What comes first is to warm up.
    trainings = [one for one in found[2:] if isinstance(one, Config)]
    keys = []
    for cfg in trainings:
        epochs = cfg.train_cfg.max_epochs
        assert cfg.train_cfg.val_interval == cfg.param_scheduler[0].T_max == epochs
        assert cfg.load_from == f'{cfg.randomness.seed}.pth'
        assert [hook.type for hook in cfg.custom_hooks] == [
            'mmdetxfer.TransferHook',
            'mmdetxfer.FreezeHook',
        ]
        keys.append((cfg.randomness.seed, epochs, cfg.optim_wrapper.optimizer.lr))
    assert keys == [(s, e, r) for s in (3, 5) for e in (1, 2) for r in (1.0, 0.5)]
    assert len({cfg.experiment_name for cfg in trainings}) == len(trainings)
    probes = [one for one in found[2:] if not isinstance(one, Config)]
    assert [place.seed for _, place in probes] == [3, 5]
    plan = probes[0][0]
    assert plan.layers == ('Conv5:1',) and plan.settings.strengths == STRENGTHS
    printed = capsys.readouterr().out
    assert 'a log' not in printed
    for row in ('ours +│ +│ 75.0 75.0', 'SGD, 1 epochs │ 0.5 +│ 60.0 60.0'):
        assert re.search(row, printed)
    assert 'the cheapest that is as good: 2 epochs, ' in printed


def test_the_cheapest_of_the_equal_ones_is_named_or_none(tool):
    """Ours takes 2 s in the mean; ten epochs 11 s at the rate that is best on test."""

    def runs(top1, *seconds):
        return [tool.Run(top1, one, 2 * one + 1) for one in seconds]

    ours = runs(70.0, 1.0, 3.0)
    found = {
        (1, 0.1): runs(50.0, 2.0, 2.0),
        (10, 0.1): runs(65.0, 1.0, 1.0),
        (10, 0.3): runs(70.0, 10.0, 12.0),
        (100, 0.1): runs(90.0, 100.0, 100.0),
    }
    best = tool.best_rates(found)
    assert {epochs: rate for epochs, (rate, _) in best.items()} == {
        1: 0.1,
        10: 0.3,
        100: 0.1,
    }
    # Of processors 5 s, 23 and 201.
    said = 'the cheapest that is as good: 10 epochs, 5.5 times our time (4.6 of proc'
    assert tool.summary(ours, best).startswith(said)
    said = 'no baseline is as good; 100 epochs take 50.0 times our time (40.2 of proc'
    assert tool.summary(runs(90.5, 1.0, 3.0), best).startswith(said)


@pytest.mark.parametrize(
    'change, said',
    [
        (dict(epochs=[1, 0]), r'expected epochs and threads from 1 and rates above 0'),
        (dict(rates=[0.0]), r'got \[1, 2\], 1 and \[0.0\]'),
        (dict(threads=0), r'got \[1, 2\], 0 and'),
        (dict(seeds=[7]), 'candidate: expected a file at 7.pth, there is none'),
    ],
)
def test_what_makes_no_sense_is_one_line(tool, calls, change, said):
    args, found = calls
    vars(args).update(change)
    with pytest.raises(UserError, match=said):
        tool.main.__wrapped__()
    assert not found
