"""Objects that detectors of several pre-trainings miss, by occlusion.

The headline is the mean of the classes; the pooled share stands beside it. Which
objects are missed is decided once, on the whole test set (``missed``); intervals
resample its images.
"""

from collections.abc import Sequence

import numpy as np

from .comparison import Candidates, difference_rows
from .missed import (
    is_occluded,
    missed_objects,
    missed_shares,
    resampled_missed_shares,
)
from .objects import TrueObjects
from .resampled_ap import image_weights

OCCLUSION_LEVELS = {'low': 1, 'medium': 2}


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

    A set whose objects lie in a single image has a record of kind 'undefined'.

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
        counts = in_set & np.isin(truth.labels, labels) & ~truth.is_ignored
        carriers = len(np.unique(truth.image_index[counts]))
        is_used = np.isfinite(list(resampled.values())).all(0)
        if carriers < 2 or is_used.sum() < 2:
            why = dict(candidates=[], resamples=int(is_used.sum()), num_images=carriers)
            differences.append(dict(kind='undefined', **head, **why))
            continue
        head['num_classes'] = len(np.unique(truth.labels[counts]))
        differences += difference_rows(scores, resampled, baseline, carriers, head)
    return records + differences
