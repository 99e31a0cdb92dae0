"""The comparison of the embedded candidates, with tools that write what they would."""

import fcntl
import json
import signal
from argparse import Namespace
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction
from tool_runner import REPOSITORY

from mmdetxfer.errors import UserError
from mmdetxfer.predictions import PredictionHeader, Predictions, save_predictions

# Of AP50 and AP70 the mean decides: of cls 0.03 is best, of all others 0.09.
SHARES = {0.01: 0.2, 0.03: 0.5, 0.09: 0.8}


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'tools' / 'benchmarks')
    import embedded_transfer

    monkeypatch.setattr(embedded_transfer, 'held', [])
    monkeypatch.setattr(signal, 'signal', lambda *_: None)
    return embedded_transfer


@pytest.fixture
def args(tool, here, monkeypatch):
    """The tiny world in the place of the small one, and empty candidates."""
    monkeypatch.chdir(here)
    for name, (file, seeds) in tool.CANDIDATES.items():
        for seed in seeds if file else ():
            path = here / 'candidates' / name / f'seed_{seed}' / file
            path.parent.mkdir(parents=True)
            path.touch()
    root = here / 'work_dirs/world_small'
    root.symlink_to(here / 'work_dirs/world_tiny')
    found = Namespace(candidates='candidates', work_dir='out', jobs=2)
    monkeypatch.setattr(tool, 'parse_args', lambda: found)
    return found


def write_found(path, split, share):
    """Write the first share of the true boxes of a split as detections."""
    import numpy as np
    from mmdet.datasets import VOCDataset

    data = VOCDataset(
        data_root='work_dirs/world_tiny/VOCdevkit/',
        ann_file=split,
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
    )
    infos = [data.get_data_info(k) for k in range(len(data))]
    rows = [(k, one) for k, info in enumerate(infos) for one in info['instances']]
    rows = rows[: round(share * len(rows))]
    columns = dict(
        image_index=np.array([k for k, _ in rows]),
        boxes=np.array([one['bbox'] for _, one in rows], dtype=np.float32),
        labels=np.array([one['bbox_label'] for _, one in rows]),
        scores=np.linspace(1, 0.5, len(rows), dtype=np.float32),
    )
    classes = tuple(data.metainfo['classes'])
    header = PredictionHeader('detection', classes, 'hash', 'config.py')
    ids = tuple(info['img_id'] for info in infos)
    save_predictions(path, Predictions(header, ids, columns))


@pytest.fixture
def calls(tool, monkeypatch):
    found = []

    def run_tool(name, arguments, log):
        words = [str(one) for one in arguments]
        found.append((name, words))
        log.parent.mkdir(parents=True, exist_ok=True)
        if name == 'train.py':
            (log.parent / 'last_checkpoint').write_text('weights.pth')
        elif name == 'test.py':
            (option,) = (w for w in words if w.startswith('test_dataloader'))
            parts = log.parent.parts
            rate = next((p[5:] for p in parts if p.startswith('rate_')), '0.01')
            share = SHARES[float(rate)]
            if 'cls' in parts and rate == '0.09':
                share = 0.1
            path = Path(words[words.index('--out') + 1])
            write_found(path, option.partition('=')[2], share)
        else:
            log.write_text('the comparison')

    monkeypatch.setattr(tool, 'run_tool', run_tool)
    return found


def test_rates_are_chosen_on_val_and_refitted_on_all_for_test(
    tool, args, calls, capsys
):
    tool.main()
    trainings = [words for name, words in calls if name == 'train.py']
    trials = [words for words in trainings if 'trials' in words[2]]
    # Five candidates with three rates; 11 seeds, and scratch for longer with three.
    assert len(trials) == 15 and len(trainings) == 15 + 11 + 3
    for words in trials:
        assert any('Main/train.txt' in word for word in words)
        assert 'randomness.seed=0' in words
    for words in trainings[15:]:
        folder = Path(words[2])
        name, seed = folder.parts[-2], folder.parts[-1][-1]
        assert not any('train.txt' in word for word in words)
        assert f'randomness.seed={seed}' in words
        rate = '0.03' if name == 'cls' else '0.09'
        assert f'optim_wrapper.optimizer.lr={rate}' in words
        loaded = [w for w in words if w.startswith('load_from=')]
        if 'scratch' in name:
            assert words[0] == str(tool.SCRATCH) and not loaded
        else:
            assert f'{name}/seed_{seed}' in loaded[0]
        assert ('train_cfg.max_epochs=14' in words) == (name == 'scratch-longer')
    tests = [words for name, words in calls if name == 'test.py']
    splits = [w.rpartition('/')[2] for words in tests for w in words if 'ann_file' in w]
    assert sorted(set(splits)) == ['test.txt', 'val.txt'] and len(splits) == 29
    name, words = calls[-1]
    assert name == 'analysis_tools/compare_detectors.py'
    assert [word.partition('=')[0] for word in words[:6]] == [
        *tool.CANDIDATES,
        tool.LONGER,
    ]
    lines = (Path(args.work_dir) / 'trials.jsonl').read_text().splitlines()
    assert len(lines) == 15 and json.loads(lines[0])['AP50'] > 0
    assert 'the comparison' in capsys.readouterr().out
    # What is there is not made again.
    calls.clear()
    tool.held.pop().close()
    tool.main()
    assert [name for name, _ in calls] == ['analysis_tools/compare_detectors.py']


def test_options_reach_the_config(tool):
    """The splits, the longer schedule and the rate are keys that exist."""
    cfg = Config.fromfile(tool.TRANSFER)
    options = ['optim_wrapper.optimizer.lr=0.5', *tool.TWICE]
    options.append(f'train_dataloader.dataset.dataset.ann_file={tool.SPLITS}/train.txt')
    pairs = (option.partition('=') for option in options)
    before = cfg.to_dict()
    cfg.merge_from_dict({k: DictAction._parse_iterable(v) for k, _, v in pairs})
    assert before['train_dataloader']['dataset']['dataset']['ann_file'].endswith(
        'trainval.txt'
    )
    assert cfg.train_cfg.max_epochs == 2 * before['train_cfg']['max_epochs']
    assert cfg.param_scheduler[1].milestones == [10]
    assert before['param_scheduler'][1]['milestones'] == [5]


def test_a_candidate_that_is_not_there_stops_all(tool, args, calls):
    (Path(args.candidates) / 'det/seed_0/epoch_4.pth').unlink()
    with pytest.raises(UserError, match='bash tools/embedded_candidates.sh'):
        tool.main.__wrapped__()
    assert not any('compare' in name for name, _ in calls)


def test_a_second_call_is_refused_and_so_is_no_job_at_all(tool, args):
    Path(args.work_dir).mkdir()
    with open(Path(args.work_dir) / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match='wait for them, or kill them'):
            tool.main.__wrapped__()
    args.jobs = 0
    with pytest.raises(UserError, match='--jobs: expected 1 or more, got 0'):
        tool.main.__wrapped__()


def test_a_tool_that_fails_is_named_with_its_log(tool, tmp_path):
    with pytest.raises(UserError, match='train.py failed with exit code .*log.txt'):
        tool.run_tool('train.py', ['none.py'], tmp_path / 'log.txt')
