"""Detectors of several pre-trainings on one test set: scores, and what differs.

Every difference comes with an interval over seeds and test images, which holds for all
candidates of a score at once (``simultaneous``; scores are one by one); with one seed
it is over images alone, and says so. The best set of a score is the best candidate and
what cannot be told from it. The interaction of two thresholds is
the gain at the higher less the gain at the lower: whether a pre-training helps more
where boxes must be exact (Li et al. 2019).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from .missed import is_occluded, missed_objects, missed_shares
from .objects import FoundObjects, TrueObjects
from .resampled_ap import image_weights, resampled_mean_precisions
from .simultaneous import best_set, simultaneous_intervals
from .voc_ap import average_precisions, match_objects

Candidates = Mapping[str, Sequence[FoundObjects]]
INTERACTION = (0.5, 0.7)
OCCLUSION_LEVELS = {'low': 1, 'medium': 2}


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
) -> list[dict]:
    """Return the differences to the baseline, by the area rule, and the best sets.

    Args:
        truth: The objects.
        candidates: Detections of each candidate, one table a seed.
        baseline: The candidate that others are compared with.
        iou_thresholds: With 0.5 and 0.7 among them, their interaction is there too.
        num_classes: Classes of the test set.
        num_images: Images of the test set.
        num_resamples: Resamples of the images.
    """
    weights = image_weights(num_images, num_resamples, seed=0)
    scores, resampled = {}, {}
    for name, seeds in candidates.items():
        own, drawn = [], []
        for found in seeds:
            tables = (truth, found, match_objects(truth, found))
            tables += (tuple(iou_thresholds), num_classes)
            own.append(average_precisions(*tables).mean())
            drawn.append(resampled_mean_precisions(*tables, weights)[0])
        scores[name], resampled[name] = np.array(own), np.mean(drawn, axis=0)
    records, sets = [], []
    for key, columns in _score_columns(iou_thresholds).items():
        own = {name: values @ columns for name, values in scores.items()}
        drawn = {name: values @ columns for name, values in resampled.items()}
        found = simultaneous_intervals(own, drawn, baseline, num_images)
        for name, interval in found.items():
            record = dict(kind='difference', candidate=name, baseline=baseline)
            record.update(score=key, num_compared=len(found), **asdict(interval))
            records.append(record)
        best = best_set(own, drawn, num_images)
        sets.append(dict(kind='best', score=key, candidates=best))
    order = list(candidates)
    records.sort(key=lambda record: order.index(record['candidate']))
    return records + sets


def _score_columns(iou_thresholds: Sequence[float]) -> dict[str, np.ndarray]:
    """Return how each score is made of those at the thresholds."""
    unit = np.eye(len(iou_thresholds))
    columns = {
        score_name(threshold): unit[k] for k, threshold in enumerate(iou_thresholds)
    }
    low, high = (score_name(threshold) for threshold in INTERACTION)
    if low in columns and high in columns:
        columns[f'{high} - {low}'] = columns[high] - columns[low]
    return columns


def missed_records(
    truth: TrueObjects,
    candidates: Candidates,
    occlusion: np.ndarray,
    is_truncated: np.ndarray,
    labels: Sequence[int],
    num_classes: int,
    num_images: int,
) -> list[dict]:
    """Return the shares of missed objects: all, and occluded by a level at least.

    Args:
        truth: The objects.
        candidates: Detections of each candidate, one table a seed.
        occlusion: (G,) levels.
        is_truncated: (G,) cut by the border, which counts as occluded.
        labels: Classes that have occlusion labels.
        num_classes: Classes of the test set.
        num_images: Images of the test set.
    """
    sets = {'all': np.ones(len(truth.labels), dtype=bool)}
    for name, level in OCCLUSION_LEVELS.items():
        sets[name] = is_occluded(occlusion, is_truncated, level)
    records = []
    for name, seeds in candidates.items():
        for seed, found in enumerate(seeds):
            is_missed = missed_objects(truth, found, num_images, num_classes)
            for key, in_set in sets.items():
                shares = missed_shares(is_missed, truth, in_set, labels)
                records.append(
                    dict(
                        kind='missed',
                        candidate=name,
                        seed=seed,
                        occlusion=key,
                        mean=shares.mean,
                        pooled=shares.pooled,
                        num_objects=int(shares.num_objects.sum()),
                    )
                )
    return records
