"""tools/analysis_tools/compare_detectors.py on predictions of known worth."""

import csv
import json

import pytest
from tool_runner import DET
from toy_predictions import write_predictions

TOOL = 'analysis_tools/compare_detectors.py'


@pytest.fixture
def files(here):
    root = here / 'work_dirs/world_tiny/VOCdevkit'
    for name, share in (('poor', 0.3), ('good', 0.9)):
        for seed in (0, 1):
            path = here / f'{name}{seed}.npz'
            write_predictions(path, root, share, seed)
    return ['poor=poor0.npz,poor1.npz', 'good=good0.npz,good1.npz']


def records(folder, kind):
    lines = (folder / 'records.jsonl').read_text().splitlines()
    return [one for one in map(json.loads, lines) if one['kind'] == kind]


def test_tables_and_records_of_two_candidates(tools, here, files):
    occlusion = here / 'work_dirs/world_tiny/VOCocclusion'
    arguments = (*files, '--config', DET, '--out', 'out', '--resamples', '50')
    ended = tools(TOOL, *arguments, '--occlusion', occlusion, cwd=here)
    out = here / 'out'
    scores = records(out, 'score')
    # Two candidates, two seeds, two rules, 18 thresholds.
    assert len(scores) == 2 * 2 * 2 * 18
    means = {
        name: sum(
            r['value']
            for r in scores
            if (r['candidate'], r['score'], r['rule']) == (name, 'AP50', 'area')
        )
        / 2
        for name in ('poor', 'good')
    }
    differences = {r['score']: r for r in records(out, 'difference')}
    assert len(differences) == 19
    gain = differences['AP50']['difference']
    assert gain == pytest.approx(means['good'] - means['poor']) and gain > 0.2
    missed = {
        (r['candidate'], r['seed'], r['occlusion']): r['mean']
        for r in records(out, 'missed')
    }
    assert len(missed) == 12
    assert missed['poor', 0, 'all'] > missed['good', 0, 'all'] + 0.2
    with open(out / 'differences.csv') as stream:
        rows = list(csv.DictReader(stream))
    assert [row['score'] for row in rows] == list(differences)
    assert float(rows[8]['difference']) == pytest.approx(gain)
    table = (out / 'differences.md').read_text().splitlines()
    assert len(table) == 2 + 19 and f'| AP50 | 1 | {gain:.4f} |' in table[10]
    for name in ('map_over_iou.png', 'map_over_iou.svg'):
        assert (out / name).stat().st_size > 1000
    assert 'AP70 - AP50' in ended.printed and 'misses' in ended.printed


def test_another_baseline_turns_the_sign_and_one_seed_says_so(tools, here, files):
    one_seed = [word.split(',')[0] for word in files]
    arguments = (*one_seed, '--config', DET, '--out', 'out', '--resamples', '20')
    ended = tools(TOOL, *arguments, '--baseline', 'good', cwd=here)
    differences = records(here / 'out', 'difference')
    assert {r['candidate'] for r in differences} == {'poor'}
    assert all(r['difference'] <= 0 for r in differences if '-' not in r['score'])
    assert 'training noise unknown' in ended.printed
    # Fewer images, other scores: the option reaches the test set, which does not fit.
    few = ('--cfg-options', 'test_dataloader.dataset.indices=3')
    ended = tools(TOOL, *arguments, *few, cwd=here, fails=True)
    assert "expected the test set's 3 images" in ended.printed


@pytest.mark.parametrize(
    'words, message',
    [
        (['poor0.npz'], "as NAME=FILE[,FILE...], got 'poor0.npz'"),
        (['a=x.npz', 'a=y.npz'], 'expected different candidates as NAME=FILE'),
        (['a=none.npz'], 'none.npz'),
        (['a=x.npz', '--baseline', 'b'], "--baseline: expected one of a, got 'b'"),
    ],
)
def test_what_cannot_be_compared_is_refused(tools, here, words, message):
    arguments = (*words, '--config', DET, '--out', 'out')
    assert message in tools(TOOL, *arguments, cwd=here, fails=True).printed


def test_a_config_that_is_not_there_is_named(tools, here):
    arguments = ('a=x.npz', '--config', 'none.py', '--out', 'out')
    ended = tools(TOOL, *arguments, cwd=here, fails=True)
    assert 'config not found: expected a file at none.py' in ended.printed
