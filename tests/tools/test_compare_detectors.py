"""tools/analysis_tools/compare_detectors.py on predictions of known worth."""

import csv
import json

import cv2
import pytest
from tool_runner import DET
from toy_predictions import write_predictions

from mmdetxfer.predictions import load_predictions

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
    every = records(out, 'difference')
    groups = dict.fromkeys(r['group'] for r in every)
    assert list(groups)[:6] == 'all vehicle animal small medium large'.split()
    assert list(groups)[6:] == [f'occlusion {k}' for k in ('all', 'low', 'medium')]
    # At 0.5 and 0.7 logarithms too, and the interaction of either.
    assert len(every) <= 22 + 5 * 6 + 3
    differences = {r['score']: r for r in every if r['group'] == 'all'}
    assert len(differences) == 22
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
    assert [row['score'] for row in rows[: len(differences)]] == list(differences)
    assert float(rows[8]['difference']) == pytest.approx(gain)
    # What not all rows have is a column all the same.
    assert int(rows[0]['num_classes']) > 1 and rows[-1]['score'] == 'missed'
    assert rows[-1]['resamples_without_a_class'] == '' != rows[0]['num_images']
    assert rows[-1]['resamples'] == '50'
    assert {r['group'] for r in records(out, 'group_score')} == set(list(groups)[:6])
    assert {r['score'] for r in records(out, 'class_score')} == {'AP50', 'AP70'}
    table = (out / 'differences.md').read_text().splitlines()
    assert len(table) == 2 + len(every) and f'| {gain:.4f} |' in table[10]
    for stem in ('map_over_iou', 'errors'):
        assert (out / f'{stem}.png').stat().st_size > 1000
        assert (out / f'{stem}.svg').stat().st_size > 1000
    assert 'AP70 - AP50' in ended.printed and 'misses' in ended.printed
    assert 'objects: missed by poor, found by good' in ended.printed


def test_errors_and_pictures_of_the_cases(tools, here, files):
    """Of the true boxes 0.3 and 0.9 are found: most that change are gained."""
    occlusion = here / 'work_dirs/world_tiny/VOCocclusion'
    arguments = (*files, '--config', DET, '--out', 'out', '--resamples', '50')
    tools(TOOL, *arguments, '--occlusion', occlusion, cwd=here)
    out = here / 'out'
    missed = {
        (r['candidate'], r['seed']): r['value']
        for r in records(out, 'error')
        if (r['measure'], r['error']) == ('gain of AP50 if cured', 'Miss')
    }
    assert len(missed) == 4 and missed['poor', 0] > missed['good', 0] + 0.2
    moves = {
        (r['state_in_baseline'], r['state']): r['objects']
        for r in records(out, 'transition')
    }
    assert moves['missed', 'found'] > 5 * moves['found', 'missed']
    assert len(moves) == 16
    kinds = {r['error'] for r in records(out, 'error_difference')}
    assert kinds == {'Cls', 'Loc', 'Both', 'Dupe', 'Bkg', 'Miss', 'FP', 'FN'}
    images = {r['image']: r['found'] for r in records(out, 'image')}
    assert len(images) > 5 and sum(images.values()) > 0
    for name in ('errors', 'error_differences', 'transitions', 'images'):
        assert (out / f'{name}.csv').is_file()
    for name in ('gains', 'occluded'):
        picture = cv2.imread(str(out / f'cases_good_{name}.png'))
        assert picture.shape[0] > 300 and picture.std() > 10


def test_detections_of_other_programs(tools, here, files):
    """The same detections as VOC's text files score the same."""
    predictions = load_predictions(here / 'good0.npz')
    folder = here / 'comp4'
    folder.mkdir()
    lines = {name: [] for name in predictions.header.classes}
    columns = predictions.columns
    for row, label in enumerate(columns['labels']):
        image = predictions.image_ids[columns['image_index'][row]]
        corners = ' '.join(repr(float(one) + 1) for one in columns['boxes'][row])
        line = f'{image} {float(columns["scores"][row])!r} {corners}\n'
        lines[predictions.header.classes[label]].append(line)
    for name, own in lines.items():
        (folder / f'comp4_det_test_{name}.txt').write_text(''.join(own))
    words = ('ours=good0.npz', 'texts=comp4', '--config', DET, '--out', 'out')
    tools(TOOL, *words, '--resamples', '5', cwd=here)
    differences = records(here / 'out', 'difference')
    assert len(differences) > 19
    assert all(abs(r['difference']) < 1e-9 for r in differences)


def test_another_baseline_turns_the_sign_and_one_seed_says_so(tools, here, files):
    one_seed = [word.split(',')[0] for word in files]
    arguments = (*one_seed, '--config', DET, '--out', 'out', '--resamples', '20')
    ended = tools(TOOL, *arguments, '--baseline', 'good', cwd=here)
    differences = records(here / 'out', 'difference')
    assert {r['candidate'] for r in differences} == {'poor'}
    whole = [r for r in differences if r['group'] == 'all' and r['score'][0] == 'A']
    whole = [r for r in whole if '-' not in r['score']]
    assert len(whole) == 18 and all(r['difference'] <= 0 for r in whole)
    assert '(images alone, training' in ended.printed
    assert 'best, or not to be told from it' not in ended.printed
    # What is unknown is null, which every reader of JSON knows.
    text = (here / 'out' / 'records.jsonl').read_text()
    assert '"variance_of_seeds": null' in text and 'NaN' not in text
    # Fewer images, other scores: the option reaches the test set, which does not fit.
    few = ('--cfg-options', 'test_dataloader.dataset.indices=3')
    ended = tools(TOOL, *arguments, *few, cwd=here, fails=True)
    assert "expected the test set's 3 images" in ended.printed


@pytest.mark.parametrize(
    'words, message',
    [
        (['poor0.npz'], "digits and . + - _, got 'poor0.npz'"),
        (['a=x.npz', 'a=y.npz'], 'expected different candidates as NAME=FILE'),
        (['a=none.npz'], 'none.npz: expected predictions (.npz, .parquet)'),
        (['r50/det=x.npz'], 'names of letters, digits and . + - _, got'),
        (['a=x.npz,'], 'expected different candidates as NAME=FILE[,FILE...]'),
        (['a=x.npz,x.npz'], "a: expected another file for each seed, got 'x.npz,x"),
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


def test_too_few_resamples_are_refused(tools, here, files):
    arguments = (*files, '--config', DET, '--out', 'out', '--resamples', '1')
    ended = tools(TOOL, *arguments, cwd=here, fails=True)
    assert 'expected 2 resamples and 2 images at least' in ended.printed
