"""The interval rule by hand, against Welch's test, and in a small simulation."""

import numpy as np
import pytest
from scipy import stats

from mmdetxfer.scoring.bootstrap import difference_interval, score_interval


def test_without_image_noise_it_is_welchs_interval():
    """scipy's own interval of Welch's test."""
    one, other = [0.1, 0.4, 0.3, 0.5], [0.2, 0.0, 0.1]
    same = np.zeros(100)
    found = difference_interval(one, other, same, same, num_images=100)
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.variance_of_images == 0 and not found.is_of_images_alone


def test_both_parts_add_up_with_satterthwaites_degrees():
    """Variances 0.01 / 2 and 0.04 / 2 of two seeds each, 0.02 of 101 images.

    Sum 0.045; degrees 0.045^2 / (0.005^2 + 0.02^2 + 0.02^2 / 100) = 4.720.
    """
    spread = np.sqrt(0.5)
    one = np.array([-0.1, 0.1]) * spread + 1
    other = np.array([-0.2, 0.2]) * spread
    paired = np.array([-1, 1] * 50) * np.sqrt(0.02 * 99 / 100)
    found = difference_interval(one, other, paired, np.zeros(100), num_images=101)
    assert found.variance_of_seeds == pytest.approx(0.025)
    assert found.variance_of_images == pytest.approx(0.02)
    assert found.degrees == pytest.approx(4.7203, abs=1e-3)
    half = stats.t.ppf(0.975, found.degrees) * np.sqrt(0.045)
    assert (found.low, found.high) == pytest.approx((1 - half, 1 + half))
    narrow = difference_interval(one, other, paired, np.zeros(100), 101, level=0.5)
    assert narrow.high - narrow.low < found.high - found.low


def test_one_seed_leaves_training_noise_unknown():
    paired = np.linspace(-1, 1, 50)
    found = difference_interval([0.5], [0.2, 0.3], paired, np.zeros(50), 1000)
    assert found.is_of_images_alone and np.isnan(found.variance_of_seeds)
    assert found.degrees == pytest.approx(999)


def test_resamples_without_a_score_are_left_out():
    paired = np.array([1.0, np.nan, -1.0, 1.0, -1.0])
    whole = difference_interval([0, 1], [0, 1], paired[[0, 2, 3, 4]], np.zeros(4), 9)
    part = difference_interval([0, 1], [0, 1], paired, np.zeros(5), 9)
    assert part == whole


@pytest.mark.parametrize(
    'arguments, message',
    [
        (([], [1], [0], [0], 9), 'expected a score at least of each.* got 0, 1'),
        (([1], [1], [0], [0], 1), 'two images or more .* got 1, 1, 1 and 0.95'),
        (([1], [1], [0], [0, 1], 9), r'the same resamples for both, got \(1,\) and'),
        (([1], [1], [0], [0], 9, 1.0), 'and 1, got 1, 1, 9 and 1.0'),
    ],
)
def test_what_does_not_belong_together_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        difference_interval(*arguments)


def test_it_covers_at_about_its_rate_where_images_alone_do_not():
    """3 seeds; scores of 60 images, training noise as large as that of images.

    400 repetitions: at a true rate of 0.95 fewer than 0.92 happen in 1 of 200 runs.
    """
    rng = np.random.default_rng(0)
    covered, images_only = 0, 0
    for _ in range(400):
        images = rng.normal(0, 1, (2, 60))
        seeds = rng.normal(0, 0.18, (2, 3))
        scores = images.mean(1)[:, None] + seeds
        draws = rng.integers(0, 60, (200, 60))
        resampled = images[:, draws].mean(2) + seeds.mean(1)[:, None]
        found = difference_interval(*scores, *resampled, num_images=60)
        covered += found.low <= 0 <= found.high
        alone = np.quantile(resampled[0] - resampled[1], [0.025, 0.975])
        images_only += alone[0] <= 0 <= alone[1]
    assert 0.92 <= covered / 400 <= 0.99
    assert images_only / 400 < 0.9


def test_a_score_alone_has_students_interval_over_seeds():
    """scipy's own t interval of a mean of four; the images add their part.

    Seeds .3 .5 .4 .8: mean .5, variance of the mean .14 / 3 / 4 = .011667. With .01 of
    101 images: sum .021667, degrees .021667^2 / (.011667^2 / 3 + .01^2 / 100) = 10.12.
    """
    scores = [0.3, 0.5, 0.4, 0.8]
    found = score_interval(scores, np.zeros(100), num_images=101)
    expected = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    drawn = 0.5 + np.array([-1, 1] * 50) * np.sqrt(0.01 * 99 / 100)
    found = score_interval(scores, drawn, num_images=101)
    assert found.difference == pytest.approx(0.5)
    assert found.degrees == pytest.approx(10.12, abs=0.01)
    one = score_interval([0.5], drawn, num_images=101)
    assert one.is_of_images_alone
    half = stats.t.ppf(0.975, 100) * 0.1
    assert (one.low, one.high) == pytest.approx((0.5 - half, 0.5 + half))
