"""Comparisons of candidates: differences of what the scores say, by hand."""

import numpy as np
import pytest
from toy_objects import WIDE, found, random_tables, truths

from mmdetxfer.scoring import FoundObjects, average_precisions, match_objects
from mmdetxfer.scoring.comparison import (
    Group,
    class_records,
    difference_records,
    score_name,
    sweep_records,
)
from mmdetxfer.scoring.missed_comparison import missed_records
from mmdetxfer.scoring.resampled_ap import image_weights

# An overlap of 0.6 with WIDE.
CUT = (0, 0, 10, 6)


def test_scores_of_every_candidate_seed_rule_and_threshold():
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    candidates = {
        'a': [found((0, 0, WIDE, 0.9)), found((0, 0, CUT, 0.9))],
        'b': [found((0, 0, WIDE, 0.9), (1, 0, WIDE, 0.9))],
    }
    records = sweep_records(truth, candidates, (0.5, 0.7), 1)
    values = {
        (r['candidate'], r['seed'], r['rule'], r['score']): r['value'] for r in records
    }
    assert len(records) == len(values) == 12
    assert values['a', 0, 'area', 'AP70'] == 0.5
    assert values['a', 1, 'area', 'AP50'] == 0.5
    assert values['a', 1, 'area', 'AP70'] == 0
    assert values['a', 0, 'eleven', 'AP50'] == pytest.approx(6 / 11)
    assert values['b', 0, 'area', 'AP70'] == 1


def test_names_are_rounded_and_not_cut():
    """0.29 * 100 is 28.999999999999996."""
    assert [score_name(t) for t in (0.29, 0.57, 0.9)] == ['AP29', 'AP57', 'AP90']


def test_differences_are_those_of_the_means_and_the_interaction_of_both():
    """Candidate b finds all at 0.5, half of them only there; a finds half at both.

    AP50: 1 - 0.5; AP70: (precision 1/2 at recall 1/2, if the cut one is surer) ...
    """
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    candidates = {
        'a': [found((0, 0, WIDE, 0.9))] * 2,
        'b': [found((0, 0, WIDE, 0.9), (1, 0, CUT, 0.8))] * 2,
    }
    records = difference_records(truth, candidates, 'a', (0.5, 0.7), 1, 2, 50)
    found_of = {r['score']: r for r in records if r['kind'] == 'difference'}
    assert list(found_of)[:3] == ['AP50', 'AP70', 'ln AP50']
    assert list(found_of)[3:] == ['ln AP70', 'AP70 - AP50', 'ln AP70 - ln AP50']
    best = {r['score']: r['candidates'] for r in records if r['kind'] == 'best'}
    assert best['AP50'][0] == 'b' and sorted(best['AP70']) == ['a', 'b']
    assert list(best) == ['AP50', 'AP70']
    records = list(found_of.values())
    assert found_of['AP50']['difference'] == pytest.approx(0.5)
    assert found_of['AP70']['difference'] == pytest.approx(0.0)
    assert found_of['AP70 - AP50']['difference'] == pytest.approx(-0.5)
    assert found_of['ln AP50']['difference'] == pytest.approx(np.log(2))
    assert found_of['ln AP70 - ln AP50']['difference'] == pytest.approx(-np.log(2))
    assert all(r['candidate'] == 'b' and r['baseline'] == 'a' for r in records)
    # Equal seeds: what varies are the images.
    assert found_of['AP50']['variance_of_seeds'] == 0
    assert found_of['AP50']['variance_of_images'] > 0


def test_logarithms_of_nothing_are_left_out():
    """Candidate a finds nothing at 0.7, and in some resamples nothing at all."""
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    candidates = {
        'a': [found((0, 0, CUT, 0.9))] * 2,
        'b': [found((0, 0, WIDE, 0.9))] * 2,
    }
    records = difference_records(truth, candidates, 'a', (0.5, 0.7), 1, 2, 50)
    scores = [r['score'] for r in records if r['kind'] == 'difference']
    assert scores == ['AP50', 'AP70', 'ln AP50', 'AP70 - AP50']
    without = {r['score']: r['candidates'] for r in records if r['kind'] == 'undefined'}
    assert without == {'ln AP70': ['a'], 'ln AP70 - ln AP50': ['a']}
    assert all(np.isfinite(r['low']) for r in records if r['kind'] == 'difference')


def test_classes_that_a_resample_lacks_are_counted():
    """Of two images with a class each, a resample that draws one twice lacks the other.

    AP50 is then of one class; the logarithm of a, which finds the first image's object
    alone, is undefined where that image is not drawn.
    """
    truth = truths((0, 0, WIDE), (1, 1, WIDE))
    candidates = {
        'a': [found((0, 0, WIDE, 0.9))],
        'b': [found((0, 0, WIDE, 0.9), (1, 1, WIDE, 0.9))],
    }
    records = difference_records(truth, candidates, 'a', (0.5, 0.7), 2, 2, 50)
    by_score = {r['score']: r for r in records if r['kind'] == 'difference'}
    weights = image_weights(2, 50, seed=0)
    short = int((weights == 0).any(1).sum())
    undefined = int((weights[:, 0] == 0).sum())
    assert 0 < undefined < short < 50
    one = by_score['AP50']
    assert (one['num_classes'], one['resamples']) == (2, 50)
    assert one['resamples_without_a_class'] == short
    one = by_score['ln AP50']
    assert one['resamples'] == 50 - undefined
    assert one['resamples_without_a_class'] == short - undefined


def test_without_both_thresholds_there_is_no_interaction():
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    candidates = {'a': [found()], 'b': [found((0, 0, WIDE, 0.9))]}
    records = difference_records(truth, candidates, 'a', (0.5,), 1, 2, 5)
    records = [r for r in records if r['kind'] == 'difference']
    assert [r['score'] for r in records] == ['AP50']
    assert np.isnan(records[0]['variance_of_seeds'])


def test_intervals_hold_the_difference_of_two_real_looking_detectors():
    truth, answers = random_tables(1)
    rng = np.random.default_rng(0)
    kept = rng.random(600) < 0.5
    half = FoundObjects(
        answers.image_index[kept],
        answers.labels[kept],
        answers.boxes[kept],
        answers.scores[kept],
    )
    candidates = {'half': [half], 'all': [answers]}
    (record, *_) = difference_records(truth, candidates, 'half', (0.5,), 3, 40, 200)
    means = [
        average_precisions(truth, f, match_objects(truth, f), (0.5,), 3).mean()[0]
        for f in (answers, half)
    ]
    assert record['difference'] == pytest.approx(means[0] - means[1])
    assert record['low'] < record['difference'] < record['high']


def test_of_many_candidates_the_intervals_are_wider():
    """The same detections, compared with one other and with three others."""
    truth, answers = random_tables(1)
    rng = np.random.default_rng(0)

    def part(share):
        kept = rng.random(600) < share
        columns = ('image_index', 'labels', 'boxes', 'scores')
        return FoundObjects(*(getattr(answers, name)[kept] for name in columns))

    many = {f'c{k}': [part(0.5), part(0.5)] for k in range(4)}
    two = {name: many[name] for name in ('c0', 'c1')}
    widths = []
    for candidates in (two, many):
        records = difference_records(truth, candidates, 'c0', (0.5,), 3, 40, 200)
        one = next(r for r in records if r.get('candidate') == 'c1')
        assert one['num_compared'] == len(candidates) - 1
        widths.append(one['high'] - one['low'])
    assert widths[1] > 1.1 * widths[0]


def test_no_claim_is_made_of_one_seed():
    """Candidate c is best by far, but has one seed; b is told from a, without any."""
    truth, answers = random_tables(3)
    kept = np.zeros(600, dtype=bool)

    def part(chosen):
        columns = ('image_index', 'labels', 'boxes', 'scores')
        return FoundObjects(*(getattr(answers, name)[chosen] for name in columns))

    few, half = part(kept), part(np.arange(600) % 2 == 0)
    candidates = {'a': [few] * 2, 'b': [half] * 2, 'c': [answers]}
    records = difference_records(truth, candidates, 'a', (0.5,), 3, 40, 100)
    (best,) = (r for r in records if r['kind'] == 'best')
    assert best['candidates'] == ['b'] and best['not_compared'] == ['c']
    lonely = {name: seeds[:1] for name, seeds in candidates.items()}
    records = difference_records(truth, lonely, 'a', (0.5,), 3, 40, 100)
    assert {r['kind'] for r in records} == {'difference', 'group_score', 'mean'}


def test_an_interval_is_of_the_images_that_have_the_objects():
    """Class 1 is in 3 of 40 images: with 2 degrees of freedom and not with 39."""
    truth = truths(
        *[(k, 0, WIDE) for k in range(40)], *[(k, 1, WIDE) for k in (0, 1, 2)]
    )
    every = found(*[(k, 0, WIDE, 0.9) for k in range(40)], (0, 1, WIDE, 0.9))
    candidates = {'a': [found()] * 2, 'b': [every] * 2}

    def degrees(labels):
        tables = (truth, candidates, 'a', (0.5,), 2, 40, 200, Group('own', labels))
        (one,) = (r for r in difference_records(*tables) if r['kind'] == 'difference')
        return one['degrees'], one['num_images']

    assert degrees((1,)) == (2, 3)
    assert degrees((0,)) == (float('inf'), 40)


def test_the_absolute_interaction_counts_above_half():
    """The baseline finds 2 of 3, then 1 of 3 images' objects."""
    truth = truths((0, 0, WIDE), (1, 0, WIDE), (2, 0, WIDE))
    rows = [(k, 0, WIDE, 0.9) for k in range(3)]
    for count, is_counted in ((2, True), (1, False)):
        candidates = {'a': [found(*rows[:count])] * 2, 'b': [found(*rows)] * 2}
        records = difference_records(truth, candidates, 'a', (0.5, 0.7), 1, 3, 20)
        by_score = {r['score']: r for r in records if r['kind'] == 'difference'}
        assert by_score['AP70 - AP50']['counts'] is is_counted
        assert 'counts' not in by_score['AP50']


def test_scores_of_groups_and_classes_are_there_for_each_seed():
    """Of class 1 half is found, of class 0 nothing."""
    truth = truths((0, 0, WIDE), (1, 1, WIDE), (2, 1, WIDE))
    candidates = {'a': [found((1, 1, WIDE, 0.9))]}
    records = class_records(truth, candidates, (0.5, 0.7), ('x', 'y', 'z'))
    values = {(r['score'], r['name']): r['value'] for r in records}
    assert values == {
        (s, n): v for s in ('AP50', 'AP70') for n, v in (('x', 0), ('y', 0.5))
    }
    assert [r['num_objects'] for r in records] == [1, 2, 1, 2]
    tables = (truth, candidates, 'a', (0.5,), 3, 3, 5)
    for group, value in ((Group(), 0.25), (Group('y', (1,)), 0.5)):
        (one,) = (
            r for r in difference_records(*tables, group) if r['kind'] == 'group_score'
        )
        assert (one['group'], one['value'], one['seed']) == (group.name, value, 0)


def test_missed_objects_by_occlusion():
    """Three objects: whole, low, cut by the border; a misses the last two, b none."""
    truth = truths((0, 0, WIDE), (1, 0, WIDE), (2, 0, WIDE))
    every = found(*[(image, 0, WIDE, 0.9) for image in range(3)])
    candidates = {'a': [found((0, 0, WIDE, 0.9))] * 2, 'b': [every] * 2}
    levels = (np.array([0, 1, 0]), np.array([0, 0, 1]), [0], 1, 3)
    records = missed_records(truth, candidates, 'a', *levels, 50)
    shares = {
        r['occlusion']: (r['pooled'], r['num_objects'])
        for r in records
        if r['kind'] == 'missed' and (r['candidate'], r['seed']) == ('a', 1)
    }
    assert shares == {
        'all': (pytest.approx(2 / 3), 3),
        'low': (1.0, 2),
        'medium': (1.0, 1),
    }
    differences = {r['group']: r for r in records if r['kind'] == 'difference'}
    assert list(differences) == [f'occlusion {k}' for k in ('all', 'low')]
    assert [r['num_images'] for r in differences.values()] == [3, 2]
    # In one image, of which there is no interval.
    (undefined,) = (r for r in records if r['kind'] == 'undefined')
    assert undefined['group'] == 'occlusion medium' and undefined['num_images'] == 1
    whole = differences['occlusion all']
    assert (whole['candidate'], whole['score']) == ('b', 'missed')
    assert whole['difference'] == pytest.approx(-2 / 3)
    # Whichever images are drawn, all of the occluded ones are missed by a alone.
    assert whole['variance_of_images'] > 0
    assert differences['occlusion low']['variance_of_images'] == 0


def test_without_occluded_objects_there_is_no_difference():
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    candidates = {'a': [found()], 'b': [found()]}
    levels = (np.array([0, 0]), np.array([0, 0]), [0], 1, 2)
    records = missed_records(truth, candidates, 'a', *levels, 5)
    groups = [r['group'] for r in records if r['kind'] == 'difference']
    assert groups == ['occlusion all']


def test_groups_are_scored_apart():
    """Class 1 and small boxes: b finds the one, a the others.

    Of classes (1,): AP50 0 and 1. Under 8 px: the small box of class 1 alone. Above 20
    px there is nothing, and no record.
    """
    small = (0, 0, 5, 5)
    truth = truths((0, 0, WIDE), (1, 1, small), (2, 0, WIDE))
    first = found((0, 0, WIDE, 0.9), (2, 0, WIDE, 0.9))
    candidates = {'a': [first] * 2, 'b': [found((1, 1, small, 0.9))] * 2}
    told = []

    def gains(group):
        tables = (truth, candidates, 'a', (0.5,), 2, 3, 20, group, told.append)
        return {
            r['group']: r['difference']
            for r in difference_records(*tables)
            if r['kind'] == 'difference'
        }

    # Class 1 and small objects lie in one image, of which there is no interval.
    assert gains(Group('ones', labels=(1,))) == {}
    assert gains(Group('zeros', labels=(0,))) == {'zeros': -1.0}
    assert gains(Group('small', size_range_px=(0, 8))) == {}
    assert gains(Group('middle', size_range_px=(8, 20))) == {'middle': -1.0}
    assert gains(Group('large', size_range_px=(20, 99))) == {}
    assert gains(Group()) == {'all': 0.0}
    assert told[0] == 'mAP of a, seed 0, ones objects'
