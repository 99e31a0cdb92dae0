"""The one rule for intervals of a difference between two candidates.

Two things vary: training (seeds) and the test images. The variance of a difference of
means is the sum of both parts: between seeds, s^2 / S of each candidate (Welch), and
over images, the variance of the paired bootstrap of the seed-averaged scores. The
interval is its root times Student's t with Satterthwaite's degrees of freedom over all
parts. A percentile bootstrap of 3 seeds covers 73 % instead of 95; an interval over
images alone calls differences real that are none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A difference with its interval.

    Args:
        difference: Mean of the first less mean of the second.
        low: Lower end.
        high: Upper end.
        variance_of_seeds: Part of training; nan with one seed, which cannot tell.
        variance_of_images: Part of the test images.
        degrees: Degrees of freedom.
    """

    difference: float
    low: float
    high: float
    variance_of_seeds: float
    variance_of_images: float
    degrees: float

    @property
    def is_of_images_alone(self) -> bool:
        """Whether training noise is unknown, so that no claim can be made."""
        return bool(np.isnan(self.variance_of_seeds))


def difference_interval(
    first: Sequence[float],
    second: Sequence[float],
    resampled_first: np.ndarray,
    resampled_second: np.ndarray,
    num_images: int,
    level: float = 0.95,
) -> Interval:
    """Return the difference of two candidates' mean scores with its interval.

    Args:
        first: A score for each seed of one candidate.
        second: Of the other; the numbers of seeds may differ.
        resampled_first: (R,) scores of resampled test sets, averaged over seeds.
        resampled_second: (R,) of the very same resamples.
        num_images: Images of the test set.
        level: Share of cases in which the interval holds the true difference.
    """
    one, other = (np.asarray(scores, dtype=np.float64) for scores in (first, second))
    if min(len(one), len(other)) == 0 or num_images < 2 or not 0 < level < 1:
        raise ValueError(
            'expected a score at least of each, two images or more and a level between '
            f'0 and 1, got {len(one)}, {len(other)}, {num_images} and {level}'
        )
    if np.shape(resampled_first) != np.shape(resampled_second):
        raise ValueError(
            'expected the same resamples for both, got '
            f'{np.shape(resampled_first)} and {np.shape(resampled_second)}'
        )
    paired = np.asarray(resampled_first) - np.asarray(resampled_second)
    # A resample in which no class is left says nothing.
    images = float(np.var(paired[np.isfinite(paired)], ddof=1))
    parts = [(images, num_images - 1)]
    has_seeds = len(one) > 1 and len(other) > 1
    seeds = np.nan
    if has_seeds:
        of_seeds = [(np.var(x, ddof=1) / len(x), len(x) - 1) for x in (one, other)]
        seeds = float(sum(variance for variance, _ in of_seeds))
        parts += of_seeds
    # Its import takes longer than that of the rest of this package.
    from scipy import stats

    total = sum(variance for variance, _ in parts)
    squares = sum(variance**2 / degrees for variance, degrees in parts)
    degrees = total**2 / squares if squares > 0 else float('inf')
    difference = float(one.mean() - other.mean())
    half = float(stats.t.ppf(0.5 + level / 2, degrees) * np.sqrt(total))
    return Interval(
        difference, difference - half, difference + half, seeds, images, degrees
    )


def score_interval(
    scores: Sequence[float],
    resampled: np.ndarray,
    num_images: int,
    level: float = 0.95,
) -> Interval:
    """Return a candidate's mean score with its interval, by the same rule.

    Of two candidates the difference tells, since both were scored on the same images.

    Args:
        scores: A score for each seed.
        resampled: (R,) scores of resampled test sets, averaged over seeds.
        num_images: Images of the test set.
        level: Share of cases in which the interval holds the true score.
    """
    # Zero never varies, and adds nothing to either part.
    nothing = np.zeros(max(len(scores), 1))
    none_drawn = np.zeros(np.shape(resampled))
    return difference_interval(
        scores, nothing, resampled, none_drawn, num_images, level
    )
