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

from .bootstrap import score_interval
from .objects import FoundObjects, TrueObjects, of_classes
from .resampled_ap import (
    counted_objects,
    image_weights,
    resampled_mean_precisions,
)
from .simultaneous import best_set, simultaneous_intervals
from .voc_ap import NO_SIZE_LIMIT, average_precisions, match_objects

Candidates = Mapping[str, Sequence[FoundObjects]]
INTERACTION = (0.5, 0.7)
# Of the baseline: below it the absolute interaction does not count (the protocol).
_LEAST_FOR_ABSOLUTE = 0.5


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


def class_records(
    truth: TrueObjects,
    candidates: Candidates,
    iou_thresholds: Sequence[float],
    classes: Sequence[str],
) -> list[dict]:
    """Return the AP of each class by the area rule, for candidate, seed, threshold.

    Args:
        truth: The objects.
        candidates: Detections of each candidate, one table a seed.
        iou_thresholds: As in ``average_precisions``.
        classes: Names of the test set's classes; those without objects have no record.
    """
    records = []
    for name, seeds in candidates.items():
        for seed, found in enumerate(seeds):
            tables = (truth, found, match_objects(truth, found))
            table = average_precisions(*tables, iou_thresholds, len(classes))
            for threshold, row in zip(iou_thresholds, table.area, strict=True):
                head = dict(kind='class_score', candidate=name, seed=seed)
                head['score'] = score_name(threshold)
                for label in np.flatnonzero(table.num_objects):
                    count = int(table.num_objects[label])
                    own = dict(value=float(row[label]), num_objects=count)
                    records.append(dict(**head, name=classes[label], **own))
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
    no difference, and a record of kind 'undefined' that names the candidates; so has
    one whose objects lie in a single image. Each difference says of how many classes
    it is, how many images have objects of the group (its interval is of so many), of
    how many resamples it is, and in how many of those a class had no object and was
    left out. The interaction in absolute terms counts where the baseline's AP50 is
    above 0.5, which ``counts`` says.

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
        candidates = {
            name: [of_classes(found, group.labels) for found in seeds]
            for name, seeds in candidates.items()
        }
    settings = (iou_thresholds, num_classes, weights, group, progress)
    scored = _scored(truth, candidates, *settings)
    if scored is None:
        return []
    carriers = truth.image_index[counted_objects(truth, group.size_range_px)]
    num_images = len(np.unique(carriers))
    low, high = (score_name(threshold) for threshold in INTERACTION)
    records, sets, undefined = [], [], []
    for key in next(iter(scored.scores.values())):
        own = {name: values[key] for name, values in scored.scores.items()}
        drawn = {name: values[key] for name, values in scored.resampled.items()}
        head = dict(group=group.name, score=key)
        is_used = np.isfinite(list(drawn.values())).all(0)
        without = [name for name, one in own.items() if not np.isfinite(one).all()]
        if without or is_used.sum() < 2 or num_images < 2:
            why = dict(candidates=without, resamples=int(is_used.sum()))
            why['num_images'] = num_images
            undefined.append(dict(kind='undefined', **head, **why))
            continue
        if key in map(score_name, iou_thresholds):
            sets += best_rows(own, drawn, num_images, head)
            sets += mean_rows(own, drawn, num_images, head)
        is_short = is_used & (scored.classes_drawn < scored.num_classes)
        head['num_classes'] = scored.num_classes
        head['resamples_without_a_class'] = int(is_short.sum())
        if key == f'{high} - {low}':
            of_baseline = np.mean(scored.scores[baseline][low])
            head['counts'] = bool(of_baseline > _LEAST_FOR_ABSOLUTE)
        records += difference_rows(own, drawn, baseline, num_images, head)
    order = list(candidates)
    records.sort(key=lambda record: order.index(record['candidate']))
    return records + scored.records + sets + undefined


@dataclass(frozen=True)
class _Scored:
    """Scores of all candidates.

    Args:
        scores: Of each candidate and score, one a seed.
        resampled: The same, (R,) means over seeds.
        records: The scores of each seed as records.
        num_classes: Classes that have objects.
        classes_drawn: (R,) classes that have objects in each resample: as the former,
            of the truth alone and so the same for all.
    """

    scores: dict[str, dict[str, np.ndarray]]
    resampled: dict[str, dict[str, np.ndarray]]
    records: list[dict]
    num_classes: int
    classes_drawn: np.ndarray


def _scored(
    truth: TrueObjects,
    candidates: Candidates,
    iou_thresholds: Sequence[float],
    num_classes: int,
    weights: np.ndarray,
    group: Group,
    progress: Callable[[str], None] | None,
) -> _Scored | None:
    """Score all candidates and seeds; None where no class has an object."""
    names = [score_name(threshold) for threshold in iou_thresholds]
    scores, resampled, records = {}, {}, []
    for name, seeds in candidates.items():
        own, drawn = [], []
        for seed, found in enumerate(seeds):
            if progress is not None:
                progress(f'mAP of {name}, seed {seed}, {group.name} objects')
            tables = (truth, found, match_objects(truth, found))
            tables += (tuple(iou_thresholds), num_classes)
            table = average_precisions(*tables, group.size_range_px)
            if table.num_defined == 0:
                return None
            own.append(table.mean())
            head = dict(kind='group_score', candidate=name, seed=seed, group=group.name)
            records += [
                dict(**head, score=key, value=float(value))
                for key, value in zip(names, own[-1], strict=True)
            ]
            settings = (weights, group.size_range_px)
            means, classes_drawn = resampled_mean_precisions(*tables, *settings)
            drawn.append(means)
        scores[name] = _scores(np.array(own), iou_thresholds)
        resampled[name] = {
            key: values.mean(0)
            for key, values in _scores(np.array(drawn), iou_thresholds).items()
        }
    return _Scored(scores, resampled, records, table.num_defined, classes_drawn)


def best_rows(
    scores: Mapping[str, Sequence[float]],
    resampled: Mapping[str, np.ndarray],
    num_images: int,
    head: dict,
) -> list[dict]:
    """Return the best set, of several with several seeds: of one no claim is made.

    Args:
        scores: A score for each seed of each candidate.
        resampled: (R,) scores of the same resampled test sets, averaged over seeds.
        num_images: Images that the score is of.
        head: What the record begins with.
    """
    several = [name for name, seeds in scores.items() if len(seeds) > 1]
    if len(several) < 2:
        return []
    tables = ({name: one[name] for name in several} for one in (scores, resampled))
    best = best_set(*tables, num_images)
    others = [name for name in scores if name not in several]
    return [dict(kind='best', **head, candidates=best, not_compared=others)]


def mean_rows(
    scores: Mapping[str, Sequence[float]],
    resampled: Mapping[str, np.ndarray],
    num_images: int,
    head: dict,
) -> list[dict]:
    """Return each candidate's mean over seeds with its interval.

    Args:
        scores: A score for each seed of each candidate.
        resampled: (R,) scores of the same resampled test sets, averaged over seeds.
        num_images: Images with objects that the score is of.
        head: What the records begin with.
    """
    rows = []
    for name, seeds in scores.items():
        found = asdict(score_interval(seeds, resampled[name], num_images))
        value = found.pop('difference')
        own = dict(num_seeds=len(seeds), num_images=num_images, value=value)
        rows.append(dict(kind='mean', candidate=name, **head, **own, **found))
    return rows


def difference_rows(
    scores: Mapping[str, Sequence[float]],
    resampled: Mapping[str, np.ndarray],
    baseline: str,
    num_images: int,
    head: dict,
) -> list[dict]:
    """Return a record for each candidate but the baseline.

    Args:
        scores: A score for each seed of each candidate.
        resampled: (R,) scores of the same resampled test sets, averaged over seeds.
        baseline: One of the names.
        num_images: Images with objects that the score is of.
        head: What the records begin with.
    """
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
            num_images=num_images,
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
