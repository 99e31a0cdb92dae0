"""Detectors of several pre-trainings on one test set: scores, and what differs.

Every difference comes with an interval over seeds and test images, which holds for all
candidates of a score at once (``simultaneous``; scores are one by one); with one seed
it is over images alone, and says so. The best set of a score is the best candidate and
what cannot be told from it, among those with several seeds. The interaction of two
thresholds is the gain at the higher less the gain at the lower: whether a pre-training
helps more where boxes must be exact (Li et al. 2019). The same of logarithms is the
gain in shares, which a low baseline does not shrink.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from .missed import (
    is_occluded,
    missed_objects,
    missed_shares,
    resampled_missed_shares,
)
from .objects import FoundObjects, TrueObjects, of_classes
from .resampled_ap import image_weights, resampled_mean_precisions
from .simultaneous import best_set, simultaneous_intervals
from .voc_ap import NO_SIZE_LIMIT, average_precisions, match_objects

Candidates = Mapping[str, Sequence[FoundObjects]]
INTERACTION = (0.5, 0.7)
OCCLUSION_LEVELS = {'low': 1, 'medium': 2}


@dataclass(frozen=True)
class Group:
    """Some of the objects, with scores of their own.

    Args:
        name: What the group is called; 'all' for all.
        labels: Its classes; None for all.
        size_range_px: Its sizes, as in ``average_precisions``.
    """

    name: str = 'all'
    labels: tuple[int, ...] | None = None
    size_range_px: tuple[float, float] = NO_SIZE_LIMIT


def score_name(threshold: float) -> str:
    """Return the name of a threshold's score: AP50."""
    return f'AP{round(100 * threshold)}'


def sweep_records(
    truth: TrueObjects,
    candidates: Candidates,
    iou_thresholds: Sequence[float],
    num_classes: int,
) -> list[dict]:
    """Return mean AP by both rules of each candidate, seed and threshold."""
    records = []
    for name, seeds in candidates.items():
        for seed, found in enumerate(seeds):
            matches = match_objects(truth, found)
            table = average_precisions(
                truth, found, matches, iou_thresholds, num_classes
            )
            for rule in ('area', 'eleven'):
                means = zip(iou_thresholds, table.mean(rule), strict=True)
                records.extend(
                    dict(
                        kind='score',
                        candidate=name,
                        seed=seed,
                        rule=rule,
                        score=score_name(threshold),
                        value=float(mean),
                        num_classes=table.num_defined,
                    )
                    for threshold, mean in means
                )
    return records


def difference_records(
    truth: TrueObjects,
    candidates: Candidates,
    baseline: str,
    iou_thresholds: Sequence[float],
    num_classes: int,
    num_images: int,
    num_resamples: int = 1000,
    group: Group = Group(),
    progress: Callable[[str], None] | None = None,
) -> list[dict]:
    """Return the differences to the baseline, by the area rule, and the best sets.

    A score that is undefined for a candidate (a logarithm where nothing was found) has
    no difference, and a record of kind 'undefined' that names the candidates. Each says
    of how many classes it is, of how many resamples its interval, and in how many of
    those a class had no object and was left out.

    Args:
        truth: The objects.
        candidates: Detections of each candidate, one table a seed.
        baseline: The candidate that others are compared with.
        iou_thresholds: With 0.5 and 0.7 among them, their interaction is there too.
        num_classes: Classes of the test set.
        num_images: Images of the test set.
        num_resamples: Resamples of the images.
        group: Which objects count; without any there are no records.
        progress: Told what is being scored.
    """
    weights = image_weights(num_images, num_resamples, seed=0)
    if group.labels is not None:
        truth = of_classes(truth, group.labels)
        num_classes = len(group.labels)
    scores, resampled = {}, {}
    for name, seeds in candidates.items():
        own, drawn = [], []
        for seed, found in enumerate(seeds):
            if progress is not None:
                progress(f'mAP of {name}, seed {seed}, {group.name} objects')
            if group.labels is not None:
                found = of_classes(found, group.labels)
            tables = (truth, found, match_objects(truth, found))
            tables += (tuple(iou_thresholds), num_classes)
            table = average_precisions(*tables, group.size_range_px)
            if table.num_defined == 0:
                return []
            own.append(table.mean())
            means, num_defined = resampled_mean_precisions(
                *tables, weights, group.size_range_px
            )
            drawn.append(means)
        scores[name] = _scores(np.array(own), iou_thresholds)
        resampled[name] = {
            key: values.mean(0)
            for key, values in _scores(np.array(drawn), iou_thresholds).items()
        }
    records, sets, undefined = [], [], []
    for key in next(iter(scores.values())):
        own = {name: values[key] for name, values in scores.items()}
        drawn = {name: values[key] for name, values in resampled.items()}
        head = dict(group=group.name, score=key)
        is_used = np.isfinite(list(drawn.values())).all(0)
        without = [name for name, one in own.items() if not np.isfinite(one).all()]
        if without or is_used.sum() < 2:
            undefined.append(dict(kind='undefined', **head, candidates=without))
            continue
        # Both depend on the truth alone: they are the same for all candidates.
        is_short = is_used & (num_defined < table.num_defined)
        head.update(
            num_classes=table.num_defined,
            resamples_without_a_class=int(is_short.sum()),
        )
        records += _differences(own, drawn, baseline, num_images, head)
        # With one seed training noise is unknown: no claim is made.
        several = [name for name, seeds in own.items() if len(seeds) > 1]
        if key in map(score_name, iou_thresholds) and len(several) > 1:
            tables = ({name: one[name] for name in several} for one in (own, drawn))
            best = best_set(*tables, num_images)
            sets.append(dict(kind='best', **head, candidates=best))
    order = list(candidates)
    records.sort(key=lambda record: order.index(record['candidate']))
    return records + sets + undefined


def _differences(
    scores: Mapping[str, Sequence[float]],
    resampled: Mapping[str, np.ndarray],
    baseline: str,
    num_images: int,
    head: dict,
) -> list[dict]:
    found = simultaneous_intervals(scores, resampled, baseline, num_images)
    is_used = np.isfinite(list(resampled.values())).all(0)
    return [
        dict(
            kind='difference',
            candidate=name,
            baseline=baseline,
            **head,
            num_compared=len(found),
            resamples=int(is_used.sum()),
            baseline_mean=float(np.mean(scores[baseline])),
            **asdict(interval),
        )
        for name, interval in found.items()
    ]


def _scores(
    precisions: np.ndarray, iou_thresholds: Sequence[float]
) -> dict[str, np.ndarray]:
    """Return each score, made of (..., T) mean AP at the thresholds.

    A logarithm is nan where nothing was found.
    """
    names = [score_name(threshold) for threshold in iou_thresholds]
    scores = {name: precisions[..., place] for place, name in enumerate(names)}
    low, high = (score_name(threshold) for threshold in INTERACTION)
    if low in scores and high in scores:
        for name in (low, high):
            nothing = np.full_like(scores[name], np.nan)
            logs = np.log(scores[name], nothing, where=scores[name] > 0)
            scores[f'ln {name}'] = logs
        scores[f'{high} - {low}'] = scores[high] - scores[low]
        scores[f'ln {high} - ln {low}'] = scores[f'ln {high}'] - scores[f'ln {low}']
    return scores


def missed_records(
    truth: TrueObjects,
    candidates: Candidates,
    baseline: str,
    occlusion: np.ndarray,
    is_truncated: np.ndarray,
    labels: Sequence[int],
    num_classes: int,
    num_images: int,
    num_resamples: int = 1000,
) -> list[dict]:
    """Return the shares of missed objects: all, and occluded by a level at least.

    Their differences to the baseline are of the mean of classes, the headline. Which
    objects are missed is decided once, on the whole test set.

    Args:
        truth: The objects.
        candidates: Detections of each candidate, one table a seed.
        baseline: The candidate that others are compared with.
        occlusion: (G,) levels.
        is_truncated: (G,) cut by the border, which counts as occluded.
        labels: Classes that have occlusion labels.
        num_classes: Classes of the test set.
        num_images: Images of the test set.
        num_resamples: Resamples of the images.
    """
    sets = {'all': np.ones(len(truth.labels), dtype=bool)}
    for name, level in OCCLUSION_LEVELS.items():
        sets[name] = is_occluded(occlusion, is_truncated, level)
    is_missed = {
        name: [missed_objects(truth, one, num_images, num_classes) for one in seeds]
        for name, seeds in candidates.items()
    }
    weights = image_weights(num_images, num_resamples, seed=0)
    records, differences = [], []
    for key, in_set in sets.items():
        scores, resampled = {}, {}
        for name, seeds in is_missed.items():
            own = [missed_shares(one, truth, in_set, labels) for one in seeds]
            head = dict(kind='missed', candidate=name, occlusion=key)
            records += [
                dict(
                    **head,
                    seed=seed,
                    mean=shares.mean,
                    pooled=shares.pooled,
                    num_objects=int(shares.num_objects.sum()),
                )
                for seed, shares in enumerate(own)
            ]
            scores[name] = [shares.mean for shares in own]
            drawn = [
                resampled_missed_shares(one, truth, in_set, labels, weights)
                for one in seeds
            ]
            resampled[name] = np.mean(drawn, axis=0)
        head = dict(group=f'occlusion {key}', score='missed')
        if sum(one['num_objects'] for one in records if one['occlusion'] == key):
            differences += _differences(scores, resampled, baseline, num_images, head)
    return records + differences
