"""Differences of errors, by hand."""

import numpy as np
import pytest
from toy_objects import WIDE, found, random_tables, truths

from mmdetxfer.scoring import FoundObjects
from mmdetxfer.scoring.bootstrap import difference_interval
from mmdetxfer.scoring.error_differences import (
    COUNTS,
    FALSE_KINDS,
    SHARES,
    STATES,
    error_records,
    errors_of,
    false_counts_of_images,
    found_shares,
    image_gains,
    image_records,
    resampled_false_counts,
    transitions,
)
from mmdetxfer.scoring.resampled_ap import image_weights
from mmdetxfer.scoring.tide_gains import error_gains, error_precisions

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
    np.testing.assert_array_equal(moves, expected)
    back = transitions(second, first)
    np.testing.assert_array_equal(back, expected.T)


def test_transitions_are_means_over_all_pairs_of_seeds():
    """The first object is found by one of two seeds of one, by both of the other."""
    half = errors(found((0, 0, WIDE, 0.9)), found())
    whole = errors(found((0, 0, WIDE, 0.9)), found((0, 0, WIDE, 0.9)))
    moves = transitions(half, whole)
    missed = STATES.index('missed')
    assert moves[0, 0] == 0.5 and moves[missed, 0] == 0.5
    assert moves.sum() == 3
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
    counts = false_counts_of_images(answers, own, np.array([True, False, True]), 3)
    expected = np.zeros((3, 5))
    expected[1, FALSE_KINDS.index('Loc')] = 1
    np.testing.assert_array_equal(counts, expected)
    every = false_counts_of_images(answers, own, np.ones(3, dtype=bool), 3)
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
    shares = [r['value'] for r in records if r.get('measure') == SHARES]
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
    own = [r for r in records if r.get('measure') == COUNTS]
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


def test_the_surest_are_chosen_anew_in_each_resample():
    """Class 0 has an object in image 0 and one in image 1; false ones on 0 are surest.

    As it is, the two surest are both false ones of image 0. Image 1 alone: its right
    one. Image 0 twice: room for two, taken by copies of the surest.
    """
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    answers = found((0, 0, FAR, 0.9), (0, 0, LOW, 0.8), (1, 0, WIDE, 0.7))
    (own,) = errors_of(truth, {'one': [answers]})['one']
    weights = np.array([[1, 1], [0, 2], [2, 0], [1, 0]], dtype=np.uint16)
    counts = resampled_false_counts(truth, answers, own, 1, weights)
    places = [FALSE_KINDS.index(kind) for kind in ('Bkg', 'Loc')]
    assert counts[:, places].tolist() == [[1, 1], [0, 0], [2, 0], [1, 0]]
    assert counts.sum() == 5


def test_each_image_has_what_it_gained_and_its_false_detections():
    """Image 1: two objects more; image 0: one less, and a false one more."""
    candidates = {
        'a': [found((0, 0, WIDE, 0.9))],
        'b': [found((1, 0, WIDE, 0.9), (1, 0, FAR, 0.8), (0, 0, FAR, 0.7))],
    }
    own = errors_of(TRUTH, candidates)
    names = ('x', 'y', 'z')
    rows = image_records(TRUTH, candidates, own, 'a', 1, names)
    assert [(r['image'], r['found'], r['false Bkg']) for r in rows] == [
        ('x', -1.0, 1.0),
        ('y', 2.0, 0.0),
        ('z', 0.0, 0.0),
    ]


def test_what_is_undefined_is_in_no_difference(two_candidates):
    """Without any detection a gain by finding all that was missed has no score."""
    truth, candidates, _, _ = two_candidates
    few = {'many': candidates['many'], 'none': [found(), found()]}
    own = errors_of(truth, few)
    similar = np.zeros((3, 3), dtype=bool)
    records = error_records(truth, few, own, 'many', similar, 40, 20)
    differences = [r for r in records if r['kind'] == 'error_difference']
    assert not any(r['error'] in ('Miss', 'FN') for r in differences)
    assert {r['error'] for r in differences} >= {'Cls', 'FP'}
    assert all(np.isfinite(r['low']) for r in differences)
    back = error_records(truth, few, own, 'none', similar, 40, 20)
    named = [r['error'] for r in back if r['kind'] == 'error_difference']
    assert 'Miss' not in named and 'Cls' in named
