"""Differences of classifiers: hand arithmetic, brute force, and the rule itself."""

import numpy as np
import pytest

from mmdetxfer.scoring import difference_interval, image_weights
from mmdetxfer.scoring.classification import accuracy_records

HEAD = dict(table='8', target='toy')
LABELS = np.array([0, 0, 0, 1, 1, 2])
# Right: 4 of 6 and 3 of 6; by class 2/3, 1/2, 1 and 1/3, 1, 0.
A = np.array([1, 1, 0, 1, 0, 1], dtype=bool)
B = np.array([1, 0, 0, 1, 1, 0], dtype=bool)


def picked(records, **wanted):
    return [row for row in records if all(row.get(k) == v for k, v in wanted.items())]


def test_scores_are_those_of_hand_arithmetic():
    """Top-1 4/6 and 3/6; means per class (2/3 + 1/2 + 1) / 3, (1/3 + 1 + 0) / 3."""
    records = accuracy_records({'a': [A], 'b': [B]}, LABELS, 'b', HEAD)
    for name, score, value in (
        ('a', 'top-1', 4 / 6),
        ('b', 'top-1', 3 / 6),
        ('a', 'mean per class', 13 / 18),
        ('b', 'mean per class', 4 / 9),
    ):
        (row,) = picked(records, kind='score', candidate=name, score=score)
        assert row['value'] == pytest.approx(value)
        assert (row['target'], row['group'], row['num_images']) == ('toy', 'all', 6)
    (row,) = picked(records, kind='difference', score='top-1')
    assert row['difference'] == pytest.approx(1 / 6)
    # Of one seed no claim is made.
    assert np.isnan(row['variance_of_seeds']) and not picked(records, kind='best')


def drawn_right(share, seeds=3, num=300):
    rng = np.random.default_rng(int(1000 * share))
    return [rng.random(num) < share for _ in range(seeds)]


@pytest.mark.parametrize('score', ['top-1', 'mean per class'])
def test_intervals_are_the_rules_of_resamples_by_hand(score):
    """Each resample is written out as a list of images, and scored by loops."""
    num = 40
    labels = np.arange(num) % 3
    right = {'a': drawn_right(0.7, num=num), 'b': drawn_right(0.5, num=num)}
    records = accuracy_records(right, labels, 'b', HEAD, num_resamples=50)
    (row,) = picked(records, kind='difference', score=score)
    weights = image_weights(num, 50, seed=0)

    def scored(one, rows):
        if score == 'top-1':
            return one[rows].mean()
        return np.mean([one[rows[labels[rows] == k]].mean() for k in range(3)])

    values, resampled = {}, {}
    for name, seeds in right.items():
        values[name] = [scored(one, np.arange(num)) for one in seeds]
        resampled[name] = np.array(
            [
                np.mean([scored(one, np.repeat(np.arange(num), w)) for one in seeds])
                for w in weights
            ]
        )
    expected = difference_interval(
        values['a'], values['b'], resampled['a'], resampled['b'], num
    )
    assert row['difference'] == pytest.approx(expected.difference)
    assert row['low'] == pytest.approx(expected.low)
    assert row['high'] == pytest.approx(expected.high)
    assert row['variance_of_seeds'] == pytest.approx(expected.variance_of_seeds)


def test_classes_that_a_resample_lacks_are_left_out_and_counted():
    """Class 2 has one image of 6: a resample lacks it in about (5/6)^6 = 0.335."""
    right = {'a': [A, A], 'b': [B, A]}
    records = accuracy_records(right, LABELS, 'b', HEAD)
    (row,) = picked(records, kind='difference', score='mean per class')
    weights = image_weights(6, 1000, seed=0)
    absent = np.zeros(1000, dtype=bool)
    for label in range(3):
        absent |= weights[:, label == LABELS].sum(1) == 0
    assert row['resamples_without_a_class'] == absent.sum() > 300
    (top1,) = picked(records, kind='difference', score='top-1')
    assert 'resamples_without_a_class' not in top1


def test_groups_and_their_contrast():
    """Images 0 to 179 and 180 to 299; the contrast is the difference of differences."""
    right = {'a': drawn_right(0.7), 'b': drawn_right(0.5), 'c': drawn_right(0.9)}
    labels = np.arange(300) % 5
    many = np.arange(300) >= 180
    groups = {'several': many, 'one': ~many, 'none': np.zeros(300, dtype=bool)}
    records = accuracy_records(
        right, labels, 'b', HEAD, groups, [('several', 'one'), ('several', 'none')]
    )

    def difference(name, group):
        found = picked(
            records, kind='difference', candidate=name, group=group, score='top-1'
        )
        (row,) = found
        return row['difference']

    for name in 'ac':
        means = [np.mean(right[k], axis=0) for k in (name, 'b')]
        expected = [
            means[0][inside].mean() - means[1][inside].mean()
            for inside in (many, ~many)
        ]
        assert difference(name, 'several') == pytest.approx(expected[0])
        contrast = difference(name, 'several - one')
        assert contrast == pytest.approx(expected[0] - expected[1])
    (row, _) = picked(records, kind='difference', group='several - one', score='top-1')
    # 120 and 180 images: the degrees of freedom are those of the smaller group.
    assert row['num_images'] == 120
    assert not picked(records, group='none')
    assert not picked(records, group='several - none')
    # Two candidates are compared with the baseline at once.
    (row, _) = picked(records, kind='difference', group='all', score='top-1')
    assert row['num_compared'] == 2
    (best,) = picked(records, kind='best', score='top-1')
    assert best['candidates'] == ['c']


def test_of_paired_seeds_their_differences_vary():
    """By hand: of each seed a is one image of 40 better, whatever the seed is worth."""
    num = 40
    labels = np.arange(num) % 2
    b = [np.arange(num) < count for count in (10, 20, 30)]
    a = [np.arange(num) <= count for count in (10, 20, 30)]
    rows = {}
    for is_paired in (False, True):
        records = accuracy_records(
            {'a': a, 'b': b}, labels, 'b', HEAD, is_paired=is_paired
        )
        (rows[is_paired],) = picked(records, kind='difference', score='top-1')
        assert rows[is_paired]['difference'] == pytest.approx(1 / 40)
    assert rows[True]['variance_of_seeds'] == pytest.approx(0)
    # Welch: twice the variance of 1/4, 1/2, 3/4 (and one more image each), by 3 seeds.
    assert rows[False]['variance_of_seeds'] == pytest.approx(2 / 16 / 3)
    for key in ('variance_of_images',):
        assert rows[True][key] == pytest.approx(rows[False][key])


def test_a_group_of_one_image_has_scores_alone():
    one = np.arange(6) == 0
    right = {'a': [A], 'b': [B]}
    records = accuracy_records(right, LABELS, 'b', HEAD, {'single': one})
    assert {row['kind'] for row in picked(records, group='single')} == {'score'}


@pytest.mark.parametrize(
    ('right', 'baseline', 'message'),
    [
        ({'a': [A]}, 'b', "the baseline among a and two images or more, got 'b' and 6"),
        ({'a': [A, A[:3]]}, 'a', r'a: expected a seed or more of 6 images.*\[6, 3\]'),
        ({'a': []}, 'a', r'a: expected a seed or more .*got \[\]'),
    ],
)
def test_wrong_input_is_named(right, baseline, message):
    with pytest.raises(ValueError, match=message):
        accuracy_records(right, LABELS, baseline, HEAD)
