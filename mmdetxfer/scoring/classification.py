"""Classifiers of several pre-trainings on one test set: scores, and what differs.

Of each candidate and seed it is known which images are right. Differences have the
intervals of the package's one rule (``bootstrap``, ``simultaneous``); groups of images
(several instances, small objects) have scores of their own, and a contrast is the score
of one group less that of another: whether a pre-training loses more there.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .comparison import best_rows, difference_rows, mean_rows
from .resampled_ap import image_weights

TOP1, MEAN_PER_CLASS = 'top-1', 'mean per class'
Right = Mapping[str, Sequence[np.ndarray]]


def accuracy_records(
    right: Right,
    labels: np.ndarray,
    baseline: str,
    head: dict,
    groups: Mapping[str, np.ndarray] | None = None,
    contrasts: Sequence[tuple[str, str]] = (),
    num_resamples: int = 1000,
    is_paired: bool = False,
) -> list[dict]:
    """Return scores of each candidate and seed, differences to the baseline, best sets.

    A group with fewer than two images has scores and no differences. The mean per
    class leaves out classes that a resample lacks, for all candidates alike, and says
    in how many that was so.

    Args:
        right: For each candidate and seed (N,) which images are right.
        labels: (N,) the images' classes from 0.
        baseline: One of the candidates.
        head: What the records begin with.
        groups: (N,) which images are in a group, by its name; 'all' is there anyhow.
        contrasts: Names of two groups: the first less the second, top-1.
        num_resamples: Resamples of the images.
        is_paired: Whether those that are compared have the same seeds, as the layers of
            one network: training then varies as the differences of each seed do.
    """
    _check(right, labels, baseline)
    groups = {'all': np.ones(len(labels), dtype=bool), **(groups or {})}
    weights = image_weights(len(labels), num_resamples, seed=0)
    records: list[dict] = []
    seen: dict[str, tuple[dict, dict]] = {}
    for group, inside in groups.items():
        if not inside.any():
            continue
        own = {name: [one[inside] for one in seeds] for name, seeds in right.items()}
        drawn = weights[:, inside]
        for score, scored in ((TOP1, _top1), (MEAN_PER_CLASS, _mean_per_class)):
            values, resampled, short = _scores(own, labels[inside], drawn, scored)
            place = dict(**head, group=group, score=score)
            place['num_images'] = int(inside.sum())
            records += _score_rows(values, place)
            if inside.sum() < 2:
                continue
            if score == TOP1:
                seen[group] = (values, resampled)
            counted = {key: place[key] for key in place if key != 'num_images'}
            if score == MEAN_PER_CLASS:
                counted['resamples_without_a_class'] = short
            settings = (values, resampled)
            compared = _less(baseline, *settings) if is_paired else settings
            records += difference_rows(
                *compared, baseline, place['num_images'], counted
            )
            records += mean_rows(*settings, place['num_images'], counted)
            if group == 'all':
                records += best_rows(*settings, place['num_images'], counted)
    for first, second in contrasts:
        if first not in seen or second not in seen:
            continue
        values, resampled = (
            {name: one[name] - other[name] for name in one}
            for one, other in zip(seen[first], seen[second], strict=True)
        )
        place = dict(**head, group=f'{first} - {second}', score=TOP1)
        # The smaller group varies most, and has the fewer degrees of freedom.
        count = int(min(groups[first].sum(), groups[second].sum()))
        records += _score_rows(values, dict(**place, num_images=count))
        records += difference_rows(values, resampled, baseline, count, place)
    return records


def _less(baseline: str, *tables: Mapping[str, np.ndarray]) -> list[dict]:
    """Return the tables less the baseline, which becomes 0."""
    return [
        {name: own - table[baseline] for name, own in table.items()} for table in tables
    ]


def _score_rows(values: Mapping[str, np.ndarray], place: dict) -> list[dict]:
    return [
        dict(kind='score', candidate=name, seed=seed, **place, value=float(value))
        for name, seeds in values.items()
        for seed, value in enumerate(seeds)
    ]


def _scores(
    right: Right, labels: np.ndarray, weights: np.ndarray, scored: Callable
) -> tuple:
    """Return scores by seed, resampled means over seeds, and short resamples."""
    values, resampled = {}, {}
    every = np.ones((1, len(labels)))
    short = 0
    for name, seeds in right.items():
        stacked = np.array(seeds, dtype=np.float64)
        values[name] = scored(stacked, labels, every)[0][0]
        drawn, short = scored(stacked, labels, weights)
        resampled[name] = drawn.mean(1)
    return values, resampled, short


def _top1(right: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple:
    """Return (R, S) top-1 accuracy of weighted images, and 0; nan without an image."""
    total = weights.sum(1, keepdims=True)
    nothing = np.full((len(weights), len(right)), np.nan)
    return np.divide(weights @ right.T, total, out=nothing, where=total > 0), 0


def _mean_per_class(
    right: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple:
    """Return (R, S) means over the classes that have images, and how many lack one."""
    present = np.unique(labels)
    sums = np.zeros((len(weights), len(right)))
    counts = np.zeros((len(weights), 1))
    for label in present:
        inside = np.flatnonzero(labels == label)
        own = weights[:, inside]
        total = own.sum(1, keepdims=True)
        nothing = np.zeros_like(sums)
        sums += np.divide(own @ right.T[inside], total, out=nothing, where=total > 0)
        counts += total > 0
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means, int((counts < len(present)).sum())


def _check(right: Right, labels: np.ndarray, baseline: str) -> None:
    if baseline not in right or len(labels) < 2:
        raise ValueError(
            f'expected the baseline among {", ".join(right)} and two images or more, '
            f'got {baseline!r} and {len(labels)}'
        )
    for name, seeds in right.items():
        if len(seeds) == 0 or any(len(one) != len(labels) for one in seeds):
            raise ValueError(
                f'{name}: expected a seed or more of {len(labels)} images each, got '
                f'{[len(one) for one in seeds]}'
            )
