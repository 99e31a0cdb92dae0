"""Intervals that hold for several candidates at once, and the set of the best.

Of many candidates one will look best by chance. The differences to a baseline are taken
as jointly t-distributed: their covariance is that of the paired resamples of images,
and between seeds that of each candidate, the baseline's in all of them; each has its
own Satterthwaite degrees of freedom. The smallest of their p-values is drawn many
times, and its quantile takes the place of 0.05 in every interval. With one candidate
this is the interval of ``bootstrap``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from .bootstrap import Interval, difference_interval

_NUM_DRAWS = 20_000


def simultaneous_intervals(
    scores: Mapping[str, Sequence[float]],
    resampled: Mapping[str, np.ndarray],
    baseline: str,
    num_images: int,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return the difference of each candidate and the baseline.

    Args:
        scores: A score for each seed of each candidate.
        resampled: (R,) scores of the same resampled test sets, averaged over seeds.
        baseline: One of the names.
        num_images: Images of the test set.
        level: Share of cases in which all intervals hold at once.
    """
    if baseline not in scores or scores.keys() != resampled.keys():
        raise ValueError(
            'expected the same candidates twice, the baseline among them, got '
            f'{list(scores)}, {list(resampled)} and {baseline!r}'
        )
    from scipy import stats

    names = [name for name in scores if name != baseline]
    if not names:
        return {}
    alone = {
        name: difference_interval(
            scores[name],
            scores[baseline],
            resampled[name],
            resampled[baseline],
            num_images,
            level,
        )
        for name in names
    }
    share = _joint_share(_correlation(scores, resampled, baseline, alone), alone, level)
    found = {}
    for name, one in alone.items():
        quantiles = stats.t.ppf([0.5 + level / 2, 1 - share / 2], one.degrees)
        half = (one.high - one.difference) * quantiles[1] / quantiles[0]
        ends = dict(low=one.difference - half, high=one.difference + half)
        found[name] = replace(one, **ends)
    return found


def best_set(
    scores: Mapping[str, Sequence[float]],
    resampled: Mapping[str, np.ndarray],
    num_images: int,
    level: float = 0.95,
) -> list[str]:
    """Return the best candidate and those that cannot be told from it, best first."""
    means = {name: float(np.mean(seeds)) for name, seeds in scores.items()}
    ranked = sorted(means, key=means.__getitem__, reverse=True)
    intervals = simultaneous_intervals(scores, resampled, ranked[0], num_images, level)
    return [name for name in ranked if name == ranked[0] or intervals[name].high >= 0]


def _correlation(
    scores: Mapping[str, Sequence[float]],
    resampled: Mapping[str, np.ndarray],
    baseline: str,
    alone: Mapping[str, Interval],
) -> np.ndarray:
    """Return (K, K) correlations of the differences."""
    paired = np.array([resampled[name] - resampled[baseline] for name in alone])
    paired = paired[:, np.isfinite(paired).all(0)]
    covariance = np.atleast_2d(np.cov(paired))
    has_seeds = [not one.is_of_images_alone for one in alone.values()]
    for place, name in enumerate(alone):
        if has_seeds[place]:
            covariance[place, place] += _variance_of_mean(scores[name])
    if any(has_seeds):
        both = np.outer(has_seeds, has_seeds)
        covariance += both * _variance_of_mean(scores[baseline])
    deviations = np.sqrt(np.diag(covariance))
    scale = np.outer(deviations, deviations)
    return np.divide(covariance, scale, out=np.eye(len(alone)), where=scale > 0)


def _variance_of_mean(seeds: Sequence[float]) -> float:
    return float(np.var(seeds, ddof=1) / len(seeds))


def _joint_share(
    correlation: np.ndarray, alone: Mapping[str, Interval], level: float
) -> float:
    """Return what takes the place of 1 - level in each interval."""
    from scipy import stats

    if sum(np.isfinite(one.degrees) for one in alone.values()) < 2:
        return 1 - level
    normal = np.random.default_rng(0).multivariate_normal(
        np.zeros(len(alone)), correlation, size=_NUM_DRAWS, method='eigh'
    )
    shares = []
    for place, one in enumerate(alone.values()):
        if not np.isfinite(one.degrees):
            # Nothing of it varies: it is never the one that misses.
            continue
        values = np.abs(normal[:, place]) / _scales(len(alone), one.degrees)
        shares.append(2 * stats.t.sf(values, one.degrees))
    return float(np.quantile(np.min(shares, axis=0), 1 - level))


@lru_cache(maxsize=64)
def _scales(num_candidates: int, degrees: float) -> np.ndarray:
    """Return draws of the unknown scale, of which one serves all candidates.

    Many comparisons have the same degrees of freedom, and the quantiles take longest.
    """
    from scipy import stats

    rng = np.random.default_rng(0)
    # Those of the candidates come first.
    rng.standard_normal((_NUM_DRAWS, num_candidates))
    uniform = rng.random(_NUM_DRAWS)
    return np.sqrt(stats.chi2.ppf(uniform, degrees) / degrees)
