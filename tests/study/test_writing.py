"""The report of whatever is there: answers, tables and costs, out of made-up cells.

Predictions are made so that their scores are known; no network is trained.
"""

import json
import re
from dataclasses import replace

import pytest
from made_up_cells import make_cells, make_pets, results_of, study_of

from mmdetxfer import plots
from mmdetxfer.json_lines import write_json_lines
from mmdetxfer.study.answers import _listed, answers
from mmdetxfer.study.cells import Machine
from mmdetxfer.study.parts.cost import CostPart
from mmdetxfer.study.plan import planned
from mmdetxfer.study.reading import Candidate, Stage
from mmdetxfer.study.records import read_records
from mmdetxfer.study.report_check import unresolved_numbers
from mmdetxfer.study.report_text import plain
from mmdetxfer.study.results import Results
from mmdetxfer.study.writing import failures_of, write_study_report


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return make_pets(tmp_path_factory.mktemp('set'))


def answer_of(results):
    (found,) = answers(results)
    return found, plain(found.line) + ' ' + plain(found.certainty)


APART = dict(scratch=0.5, cls=0.6, det=0.9)


def test_the_best_is_named_where_it_can_be_told_apart(config, tmp_path):
    """Of 60 images 54 are right for det and 36 for cls, with every seed."""
    found, text = answer_of(results_of(study_of(config), tmp_path, APART))
    assert found.is_claim and text.startswith('Start from det: top-1 0.900 (')
    assert 'Over cls: +0.300 (' in text and '3 seeds' in text
    assert '60 images of pets' in plain(found.question)
    assert found.section == 'classification-pets'


def test_no_difference_is_claimed_where_none_could_be_shown(config, tmp_path):
    """31, 30 and 29 right of 60."""
    shares = dict(scratch=0.517, cls=0.5, det=0.483)
    found, text = answer_of(results_of(study_of(config), tmp_path, shares))
    assert not found.is_claim and found.lacking == 'no difference'
    assert text.startswith('No difference could be shown between the candidates.')


def test_several_may_be_the_best(config, tmp_path):
    shares = dict(scratch=0.3, cls=0.88, det=0.9)
    found, text = answer_of(results_of(study_of(config), tmp_path, shares))
    assert found.is_claim
    assert 'cls cannot be told from it; shown to be worse: scratch.' in text
    # One stage instead of two.
    assert 'The cheapest of these to train is cls. Over cls' in text


def test_the_best_is_not_named_as_the_cheapest_too(config, tmp_path, monkeypatch):
    """Nor are those that cost as much, and three are listed with commas."""
    shares = dict(scratch=0.88, cls=0.9, det=0.3)
    _, text = answer_of(results_of(study_of(config), tmp_path, shares))
    assert 'Start from cls' in text and 'to train is scratch.' in text
    shares = dict(scratch=0.9, cls=0.88, det=0.3)
    _, text = answer_of(results_of(study_of(config), tmp_path / 'b', shares))
    assert 'Start from scratch' in text and 'cheapest' not in text
    # 3.9 and 4, in million million multiply-adds: about the same.
    results = results_of(
        study_of(config), tmp_path / 'c', dict(scratch=0.88, cls=0.9, det=0.3)
    )
    costs = dict(scratch=3.9, cls=4.0, det=5.0)
    monkeypatch.setattr(results, 'cost_of', lambda _, name: costs[name])
    _, text = answer_of(results)
    assert 'cannot be told from it' in text and 'cheapest' not in text
    assert _listed(['a', 'b', 'c']) == 'a, b and c' and _listed(['a']) == 'a'


def test_one_seed_makes_no_claim(config, tmp_path):
    study = replace(study_of(config), seeds=(0,))
    found, text = answer_of(results_of(study, tmp_path, APART))
    assert not found.is_claim and found.lacking == 'one seed'
    # In the order of their scores, with the images' intervals.
    assert text.startswith('Highest top-1 here: det 0.900 (')
    assert text.index('det 0.9') < text.index('cls 0.6') < text.index('scratch 0.5')
    assert 'training noise is unknown' in text


def partly_failed(config, tmp_path, shares):
    """Of det, the best of all, one seed alone is done."""
    results = results_of(study_of(config), tmp_path, shares, ('det',))
    (use,) = results.plan.used('final', candidate='det', seed=0)
    make_cells(results.plan, shares, only=[use.key])
    return Results(results.plan, tmp_path / 'study', lambda _: None)


def test_the_score_is_that_of_the_candidate_that_is_named(config, tmp_path):
    """Of 60 images 57 are right for det with its one seed, 48 and 24 for the others."""
    shares = dict(scratch=0.4, cls=0.8, det=0.95)
    results = partly_failed(config, tmp_path, shares)
    means = results.transfers('pets').rows('means', score='top-1')
    assert {one['candidate']: one['value'] for one in means} == pytest.approx(shares)
    found, text = answer_of(results)
    assert found.is_claim and text.startswith('Start from cls: top-1 0.800 (')
    assert '0.950' not in text and 'not with all seeds: det.' in text


def test_of_one_seed_nothing_is_said_where_no_difference_could_be_shown(
    config, tmp_path
):
    """30 and 27 of 60 right with three seeds, 57 with one."""
    shares = dict(scratch=0.5, cls=0.45, det=0.95)
    found, text = answer_of(partly_failed(config, tmp_path, shares))
    assert not found.is_claim and found.lacking == 'no difference'
    assert 'of those with several seeds is that of scratch: 0.500 (' in text
    assert '0.950' not in text


def test_nothing_is_said_of_what_was_not_measured(config, tmp_path):
    every = tuple(APART)
    found, text = answer_of(results_of(study_of(config), tmp_path, APART, every))
    assert found.lacking == 'not measured' and 'No candidate was transferred' in text


def test_a_missing_baseline_is_replaced_and_who_is_missing_is_said(config, tmp_path):
    results = results_of(study_of(config), tmp_path, APART, ('cls',))
    assert results.transfers('pets').baseline == 'scratch'
    _, text = answer_of(results)
    assert 'Start from det' in text and 'Not done, or not with all seeds: cls.' in text


def test_one_candidate_alone_is_told_from_nothing(config, tmp_path):
    results = results_of(study_of(config), tmp_path, APART, ('scratch', 'det'))
    found, text = answer_of(results)
    assert found.lacking == 'not measured'
    assert text.startswith('Only cls is done with several seeds: top-1 0.600 (')


def test_a_comparison_that_cannot_be_made_loses_no_other(config, tmp_path):
    """The predictions of one candidate are gone."""
    study = study_of(config)
    other = replace(study.targets['pets'], words='the same again', longer={'a': 1})
    targets = {**study.targets, 'again': replace(other, scratch={'b': 1})}
    results = results_of(replace(study, targets=targets), tmp_path, APART)
    (use,) = results.plan.used('final', candidate='scratch', target='again', seed=1)
    (results.plan.folder(use.key) / 'predictions.npz').unlink()
    whole, broken = answers(results)
    assert whole.is_claim and broken.lacking == 'not measured'
    assert 'cannot be compared' in plain(broken.line)
    assert 'predictions' in results.problems['transfers', 'again', 1.0]


def test_costs_add_up_over_the_chain(config, tmp_path):
    """A stage costs 2 million million multiply-adds and 30 seconds."""
    results = results_of(study_of(config), tmp_path, APART)
    costs = {row['candidate']: row for row in results.costs()}
    assert {name: row['multiply_adds'] / 1e12 for name, row in costs.items()} == {
        'scratch': 0,
        'cls': 2,
        'det': 4,
    }
    assert costs['det']['volatile']['seconds'] == 60
    outside = Candidate(stages=(Stage(file='w.pth'),))
    study = study_of(config)
    study = replace(study, candidates={**study.candidates, 'out': outside})
    names = [
        row['candidate']
        for row in results_of(study, tmp_path / 'other', {**APART, 'out': 0.5}).costs()
    ]
    assert names == ['scratch', 'cls', 'det']


BUDGET = dict(pretrain=100, classification=200, detection=5, transfer=300, report=60)


@pytest.fixture(scope='module')
def written(config, tmp_path_factory):
    """A report of a study whose det failed with two of three seeds."""
    folder = tmp_path_factory.mktemp('written')
    study = study_of(config, not_planned={'Table 9': 'there is none'}, budget=BUDGET)
    plan = planned(study, Machine(cells=folder / 'w' / 'cells'))
    make_cells(plan, APART)
    for seed in (1, 2):
        (final,) = plan.used('final', candidate='det', seed=seed)
        place = plan.folder(final.key)
        (place / 'records.jsonl').unlink()
        text = json.dumps(dict(code=1, reason='the disk is full', log=[]))
        (place / 'failed.json').write_text(text)
    (halved,) = plan.used('final', candidate='cls', seed=2)
    path = plan.folder(halved.key) / 'records.jsonl'
    head, *rows = read_records(path)
    write_json_lines(path, [dict(head, is_batch_halved=True), *rows])
    said = []
    html = write_study_report(plan, folder / 'study', 'python x --seed 3', said.append)
    return html, '\n'.join(said), folder / 'study', halved.key


def test_a_report_says_what_failed_and_has_the_rest(written):
    """Every number in it names its record."""
    html, said, folder, _ = written
    text = html.read_text()
    records = read_records(folder / 'records.jsonl')
    assert unresolved_numbers(text, {row['id']: row for row in records}) == []
    assert 'warning' not in said
    assert 'the disk is full' in text and 'det on pets seed 1' in text
    assert 'Not finished' in text and 'python x --seed 3' in text
    assert 'not planned, because there is none' in text
    assert 'Score against cost' in text and 'DeformConv2d' in text
    # 6 pre-trainings and 9 transfers, of which two failed.
    assert '13 of 15' in text
    assert 'top-1 on pets (95 % interval):' in said
    ids = {row['id'] for row in records}
    assert any(one.startswith('made/pets/means/') for one in ids)
    assert (folder / 'report' / 'report.md').is_file()


def test_a_part_with_a_defect_and_labels_that_are_not_there_lose_nothing_else(
    config, tmp_path, monkeypatch
):
    """Its section is missing, and why is said; so is what occlusion needs."""
    study = replace(study_of(config), seeds=(0,))
    pets = replace(study.targets['pets'], occlusion='nowhere/labels')
    study = replace(study, targets=dict(pets=pets))
    results = results_of(study, tmp_path, APART)

    def fails(*_):
        raise RuntimeError('a host changed')

    monkeypatch.setattr(CostPart, 'sections', fails)
    said = []
    html = write_study_report(results.plan, tmp_path / 's', 'x', said.append)
    text = html.read_text()
    assert 'Fine-tuned' in text and 'Score against cost' not in text
    assert 'report: section cost' in text and 'RuntimeError: a host changed' in text
    assert any('in fails' in line for line in said)
    assert 'expected a folder of occlusion labels at nowhere/labels' in text


def test_twice_the_schedule_is_no_cheaper_than_it_is(config, tmp_path, monkeypatch):
    """Scratch has no pre-training: 2 of its transfer; det's two stages cost 4 more.

    In million million multiply-adds; the longer transfer of cls takes 5, after 2.
    """
    study = replace(study_of(config), seeds=(0,))
    results = results_of(study, tmp_path, APART)
    (use,) = results.done('final', candidate='cls')
    results.heads[use.key]['cost'] = dict(multiply_adds=5 * 10**12, not_counted=[])
    drawn = []
    monkeypatch.setattr(plots, 'draw_score_against_cost', lambda *a: drawn.extend(a[0]))
    CostPart().sections(results)
    costs = {point.name: point.multiply_adds / 10**12 for point in drawn}
    assert costs == dict(scratch=2, cls=7, det=6)


def test_the_receipt_is_shown_by_its_number(written):
    """All of what is kept was loaded, in each of 13 cells."""
    pattern = r'data-field="receipt.loaded_share_of_kept"[^>]*>([^<]+)</data> % of what'
    assert re.findall(pattern, written[0].read_text()) == ['100.0'] * 13


def test_what_was_planned_is_told_beside_what_was_used(written):
    """6 pre-trainings and 7 transfers of 30 seconds each."""
    said = written[1]
    assert 'seconds of all pretrain cells: 100 planned, 180 used' in said
    assert 'seconds of all classification cells: 200 planned, 210 used' in said
    assert 'seconds of all detection cells: 5 planned, 0 used' in said
    assert 'seconds of all transfer cells: 300 planned, 210 used' in said
    (seconds,) = re.findall(r'seconds of the report: 60 planned, (\d+) used', said)
    assert int(seconds) < 600


def test_a_cell_that_ran_with_half_the_batch_says_so(written):
    html, key = written[0].read_text(), written[3]
    rows = [row for row in html.split('<tr>') if 'batch in parts' in row]
    assert len(rows) == 1 and f'<span class="axis">{key[:8]}</span>' in rows[0]


def test_what_waited_for_a_failure_is_named_with_it_once(config, tmp_path):
    """The first stage failed: the chain and two transfers were not begun."""
    study = replace(study_of(config), seeds=(0,))
    plan = planned(study, Machine(cells=tmp_path / 'w' / 'cells'))
    (first,) = plan.used('pretrain', candidate='cls')
    plan.folder(first.key).mkdir(parents=True)
    failed = dict(code=1, reason='no', log=[])
    (plan.folder(first.key) / 'failed.json').write_text(json.dumps(failed))
    scratch = next(plan.used('final', candidate='scratch')).key
    not_done = [key for key in plan.cells if key != scratch]
    (one,) = failures_of(plan, not_done)
    assert one.reason == 'no' and one.cell.startswith('pretrain cls stage 1')
    for words in ('pretrain det stage 2', 'final cls on pets', 'final det on pets'):
        assert one.consequence.count(words) == 1
