"""Differences of errors, by hand."""

import numpy as np
import pytest
from toy_objects import WIDE, found, random_tables, truths

from mmdetxfer.scoring import FoundObjects
from mmdetxfer.scoring.bootstrap import difference_interval
from mmdetxfer.scoring.error_differences import (
    FALSE_KINDS,
    STATES,
    error_records,
    errors_of,
    false_counts,
    found_shares,
    image_gains,
    transitions,
)
from mmdetxfer.scoring.resampled_ap import image_weights
from mmdetxfer.scoring.tide import error_gains, error_precisions

LOW, FAR = (0, 0, 10, 3), (50, 50, 60, 60)
TRUTH = truths((0, 0, WIDE), (1, 0, WIDE), (1, 0, FAR), (2, 0, WIDE, True))


def errors(*tables):
    return errors_of(TRUTH, {'one': tables})['one']


def test_objects_go_from_state_to_state():
    """First: found, misplaced, missed. Second: missed, found, missed; none ignored."""
    first = errors(found((0, 0, WIDE, 0.9), (1, 0, LOW, 0.8)))
    second = errors(found((1, 0, WIDE, 0.9)))
    moves = transitions(first, second)
    expected = np.zeros((4, 4))
    for before, after in (('found', 'missed'), ('Loc', 'found'), ('missed', 'missed')):
        expected[STATES.index(before), STATES.index(after)] = 1
    np.testing.assert_array_equal(moves.counts, expected)
    assert (moves.gained, moves.lost) == (1, 1)
    back = transitions(second, first)
    np.testing.assert_array_equal(back.counts, expected.T)


def test_transitions_are_means_over_all_pairs_of_seeds():
    """The first object is found by one of two seeds of one, by both of the other."""
    half = errors(found((0, 0, WIDE, 0.9)), found())
    whole = errors(found((0, 0, WIDE, 0.9)), found((0, 0, WIDE, 0.9)))
    moves = transitions(half, whole)
    missed = STATES.index('missed')
    assert moves.counts[0, 0] == 0.5 and moves.counts[missed, 0] == 0.5
    assert moves.counts.sum() == 3
    np.testing.assert_array_equal(found_shares(half), [0.5, 0, 0, np.nan])


def test_gains_by_image_of_all_objects_and_of_some():
    first = errors(found((0, 0, WIDE, 0.9)))
    second = errors(found((1, 0, WIDE, 0.9), (1, 0, FAR, 0.9)))
    tables = (TRUTH, first, second, 4)
    assert image_gains(*tables).tolist() == [-1, 2, 0, 0]
    chosen = np.array([True, False, True, True])
    assert image_gains(*tables, chosen).tolist() == [-1, 1, 0, 0]


def test_false_detections_by_image_and_kind():
    """Image 1: one misplaced, one on nothing that does not count; image 2: left out."""
    answers = found((1, 0, LOW, 0.9), (1, 0, (90, 90, 99, 99), 0.8), (2, 0, LOW, 0.7))
    (own,) = errors(answers)
    counts = false_counts(answers, own, np.array([True, False, True]), 3)
    expected = np.zeros((3, 5))
    expected[1, FALSE_KINDS.index('Loc')] = 1
    np.testing.assert_array_equal(counts, expected)
    every = false_counts(answers, own, np.ones(3, dtype=bool), 3)
    assert every.sum() == 2 and every[1, FALSE_KINDS.index('Bkg')] == 1


@pytest.fixture(scope='module')
def two_candidates():
    truth, answers = random_tables(5)
    rng = np.random.default_rng(0)

    def part(share):
        kept = rng.random(len(answers.labels)) < share
        columns = ('image_index', 'labels', 'boxes', 'scores')
        return FoundObjects(*(getattr(answers, name)[kept] for name in columns))

    candidates = {'few': [part(0.3), part(0.3)], 'many': [part(0.9), part(0.9)]}
    own = errors_of(truth, candidates)
    told = []
    similar = np.zeros((3, 3), dtype=bool)
    tables = (truth, candidates, own, 'few', similar, 40)
    records = error_records(*tables, 100, told.append)
    assert told == [f'errors of {n}, seed {s}' for n in candidates for s in (0, 1)]
    return truth, candidates, own, records


def test_records_hold_every_measure_and_seed(two_candidates):
    """8 gains, 5 counts and 5 shares for two candidates of two seeds."""
    *_, records = two_candidates
    kinds = [record['kind'] for record in records]
    assert kinds.count('error') == (8 + 5 + 5) * 4
    assert kinds.count('error_difference') == 8 + 5
    assert kinds.count('transition') == 16
    moved = sum(r['objects'] for r in records if r['kind'] == 'transition')
    truth = two_candidates[0]
    assert moved == pytest.approx((~truth.is_ignored).sum())
    shares = [r['value'] for r in records if r.get('measure') == 'share (Hoiem)']
    assert sum(shares) == pytest.approx(4)


def test_the_difference_of_gains_has_the_interval_of_seeds_and_images(two_candidates):
    """Missed objects: the gain of each seed, its resamples, and the one rule."""
    truth, candidates, own, records = two_candidates
    weights = image_weights(40, 100, seed=0)
    plain, drawn = {}, {}
    for name, seeds in candidates.items():
        tables = [(truth, one, own[name][k], 3) for k, one in enumerate(seeds)]
        plain[name] = [error_gains(error_precisions(*t))['Miss'][0] for t in tables]
        values = [error_gains(error_precisions(*t, weights))['Miss'] for t in tables]
        drawn[name] = np.mean(values, axis=0)
    sides = (plain['many'], plain['few'], drawn['many'], drawn['few'])
    expected = difference_interval(*sides, 40)
    (row,) = (
        r for r in records if r['kind'] == 'error_difference' and r['error'] == 'Miss'
    )
    assert (row['candidate'], row['baseline']) == ('many', 'few')
    assert row['difference'] == pytest.approx(expected.difference) and expected.low < 0
    assert (row['low'], row['high']) == pytest.approx((expected.low, expected.high))


def test_counts_differ_by_their_means_over_seeds(two_candidates):
    *_, records = two_candidates
    own = [r for r in records if r.get('measure') == 'false detections']
    for kind in FALSE_KINDS:
        values = {
            name: [
                r['value']
                for r in own
                if (r['kind'], r['candidate'], r['error']) == ('error', name, kind)
            ]
            for name in ('few', 'many')
        }
        (row,) = (
            r for r in own if r['kind'] == 'error_difference' and r['error'] == kind
        )
        expected = np.mean(values['many']) - np.mean(values['few'])
        assert row['difference'] == pytest.approx(expected)
        assert row['variance_of_images'] >= 0
