"""Simultaneous intervals: as one for one candidate, wider for many, and they cover."""

import numpy as np
import pytest
from scipy import stats

from mmdetxfer.scoring.bootstrap import difference_interval
from mmdetxfer.scoring.simultaneous import best_set, simultaneous_intervals

NUM_IMAGES = 80


def drawn(rng, means, num_seeds=3, noise=0.1):
    """Scores and resampled scores of candidates, images paired."""
    shared = rng.normal(0, 1, NUM_IMAGES)
    draws = rng.integers(0, NUM_IMAGES, (200, NUM_IMAGES))
    scores, resampled = {}, {}
    for name, mean in means.items():
        images = mean + shared + rng.normal(0, 0.5, NUM_IMAGES)
        seeds = rng.normal(0, noise, num_seeds)
        scores[name] = images.mean() + seeds
        resampled[name] = images[draws].mean(1) + seeds.mean()
    return scores, resampled


def test_with_one_candidate_it_is_the_plain_interval():
    scores, resampled = drawn(np.random.default_rng(0), dict(a=0, b=0))
    (found,) = simultaneous_intervals(scores, resampled, 'a', NUM_IMAGES).values()
    columns = [one[name] for one in (scores, resampled) for name in 'ba']
    plain = difference_interval(*columns, NUM_IMAGES)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_with_images_alone_and_no_correlation_it_is_sidaks():
    """Four differences that are independent, as if the baseline were known.

    1 - 0.95^(1/4) takes the place of 0.05; 20,000 draws are good to some per cent.
    """
    rng = np.random.default_rng(1)
    resampled = {k: rng.normal(0, 1, 4000) for k in 'abcd'} | {'base': np.zeros(4000)}
    scores = {name: [0.0] for name in resampled}
    found = simultaneous_intervals(scores, resampled, 'base', 100_000)
    expected = stats.norm.ppf(1 - (1 - 0.95**0.25) / 2)
    for name in 'abcd':
        assert found[name].high == pytest.approx(
            expected * resampled[name].std(ddof=1), rel=0.02
        )


def test_candidates_that_move_together_cost_nothing():
    rng = np.random.default_rng(2)
    same = rng.normal(0, 1, 500)
    resampled = {k: same for k in 'abc'} | {'base': np.zeros(500)}
    scores = {name: [0.0] for name in resampled}
    found = simultaneous_intervals(scores, resampled, 'base', 100_000)
    plain = difference_interval([0.0], [0.0], same, np.zeros(500), 100_000)
    assert found['a'].high == pytest.approx(plain.high, rel=0.02)


def test_all_hold_at_once_where_plain_intervals_do_not():
    """Five candidates without a difference, 150 repetitions."""
    rng = np.random.default_rng(3)
    together, plain = 0, 0
    for _ in range(150):
        scores, resampled = drawn(rng, dict.fromkeys('abcdef', 0.0))
        found = simultaneous_intervals(scores, resampled, 'a', NUM_IMAGES).values()
        together += all(one.low <= 0 <= one.high for one in found)
        plain += all(
            one.low <= 0 <= one.high
            for one in (
                difference_interval(
                    scores[k], scores['a'], resampled[k], resampled['a'], NUM_IMAGES
                )
                for k in 'bcdef'
            )
        )
    assert together / 150 >= 0.9 and plain < together


def test_the_set_of_the_best_holds_what_cannot_be_told_from_it():
    rng = np.random.default_rng(4)
    means = dict(good=2.0, alike=1.99, bad=0.0)
    scores, resampled = drawn(rng, means, num_seeds=8, noise=0.05)
    found = best_set(scores, resampled, NUM_IMAGES)
    assert sorted(found) == ['alike', 'good'] and found[0] == max(
        found, key=lambda name: np.mean(scores[name])
    )
    alone = {'good': scores['good']}
    assert best_set(alone, {'good': resampled['good']}, NUM_IMAGES) == ['good']


def test_a_candidate_that_does_not_vary_leaves_the_others_their_intervals():
    """The same file twice: its difference is 0, and it is as good as the best."""
    rng = np.random.default_rng(5)
    same = rng.normal(0, 1, 300)
    resampled = dict(a=same, twin=same, b=same + rng.normal(0, 1, 300))
    scores = dict(a=[1.0], twin=[1.0], b=[0.9])
    found = simultaneous_intervals(scores, resampled, 'a', NUM_IMAGES)
    assert found['twin'].low == found['twin'].high == 0
    assert found['b'].low < 0 < found['b'].high
    assert sorted(best_set(scores, resampled, NUM_IMAGES)) == ['a', 'b', 'twin']


def test_names_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match='expected the same candidates twice'):
        simultaneous_intervals({'a': [1]}, {'a': np.zeros(2)}, 'b', 9)
