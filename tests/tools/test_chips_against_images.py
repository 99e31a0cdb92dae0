"""The comparison of the twins, with tools that write what trainings would."""

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config, DictAction
from tool_runner import REPOSITORY
from toy_predictions import write_predictions

from mmdetxfer.errors import UserError

BENCHMARKS = REPOSITORY / 'tools' / 'benchmarks'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import chips_against_images

    monkeypatch.setattr(chips_against_images, 'hold', lambda _: None)
    return chips_against_images


@pytest.fixture
def args(here):
    root = here / 'work_dirs/world_tiny/VOCdevkit'
    return Namespace(
        seeds=[0, 1],
        small_px=24.0,
        work_dir=str(here / 'out'),
        data_root=str(root),
        cfg_options=[],
        jobs=1,
    )


def test_both_are_scored_and_compared_and_what_is_done_is_kept(tool, args, monkeypatch):
    calls = []

    def run_tool(name, arguments, log):
        words = [str(one) for one in arguments]
        calls.append((name, words))
        folder = log.parent
        is_chips = 'chips/seed' in str(folder)
        if name == 'train.py':
            (folder / 'last_checkpoint').write_text('weights.pth')
            record = dict(megapixels=100.0 if is_chips else 101.0)
            (folder / 'input_pixels.json').write_text(json.dumps(record))
            return
        seed = int(folder.name[-1]) + 10 * is_chips
        path = words[words.index('--out') + 1]
        share = 0.8 if is_chips else 0.4
        write_predictions(Path(path), args.data_root, share, seed)

    monkeypatch.setattr(tool, 'run_tool', run_tool)
    monkeypatch.setattr(tool, 'parse_args', lambda: args)
    tool.main()
    # Two twins, two seeds: a training and two tests each.
    assert len(calls) == 12
    assert sum('--tta' in words for _, words in calls) == 4
    for name, words in calls:
        assert any(
            word.startswith('val_dataloader.dataset.data_root=/') for word in words
        )
        is_training_on_chips = name == 'train.py' and '1xb16' in words[0]
        assert ('randomness.seed=0' in words or 'randomness.seed=1' in words) == (
            name == 'train.py'
        )
        if is_training_on_chips:
            assert any('train_dataloader.dataset.dataset.data_root' in w for w in words)
    lines = (tool.Path(args.work_dir) / 'records.jsonl').read_text().splitlines()
    records = [json.loads(line) for line in lines]
    scores = [one for one in records if 'twin' in one]
    assert len(scores) == 8
    found = {(one['test'], one['score']): one for one in records if 'score' in one}
    one = found['pyramid', 'AP50_all']
    means = {
        twin: np.mean(
            [
                r['AP50_all']
                for r in scores
                if (r['twin'], r['test']) == (twin, 'pyramid')
            ]
        )
        for twin in tool.TWINS
    }
    expected = means['chips'] - means['whole images']
    assert one['difference'] == pytest.approx(expected) and expected > 0.1
    assert one['low'] < expected < one['high']
    small = scores[0]['num_objects_small']
    assert 0 < small < scores[0]['num_objects_all']
    assert small + scores[0]['num_objects_others'] == scores[0]['num_objects_all']
    calls.clear()
    tool.main()
    assert not calls
    args.cfg_options = ['optim_wrapper.optimizer.lr=1']
    with pytest.raises(UserError, match='seed_0: it holds results of another cfg_op'):
        tool.main.__wrapped__()


def test_the_data_root_is_named_wherever_the_configs_read(tool, args):
    for twin, config in tool.TWINS.items():
        cfg = Config.fromfile(REPOSITORY / config)
        pairs = (one.split('=') for one in tool.data_options(args, twin))
        options = {key: DictAction._parse_int_float_bool(value) for key, value in pairs}
        cfg.merge_from_dict(options)
        assert 'world_small' not in str(
            [cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader]
        )


def test_unequal_costs_are_an_error(tool, args, monkeypatch, capsys):
    record = dict(twin='chips', seed=0, test='one scale', megapixels=100.0)
    records = [record, {**record, 'twin': 'whole images', 'megapixels': 103.0}]
    monkeypatch.setattr(tool, 'parse_args', lambda: args)
    monkeypatch.setattr(tool, 'run_seed', lambda *arguments: {})
    monkeypatch.setattr(tool, 'score', lambda *arguments: (records, []))
    tool.Path(args.work_dir).mkdir()
    with pytest.raises(SystemExit):
        tool.main()
    assert 'a spread of at most 2 %, got 100.0 to 103.0' in capsys.readouterr().err
