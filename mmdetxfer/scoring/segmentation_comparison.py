"""Segmentors of several pre-trainings on one test set: where a gain comes from.

If a pre-training helps the borders, its gain shrinks away from them; if it helps whole
objects, it does not (Li et al. 2019, Figure 2). So mIoU is told inside and outside of
each width, and at one named width the relative error reduction, 1 - (1 - mIoU) / (1 -
mIoU of the baseline), inside, outside, and whether the two differ: over the classes
that both sides have, since small objects lie in the band as a whole. Every mean is over
the classes that the truth has there, and its record says how many those are. Intervals
are those of ``simultaneous``, over seeds and images, for all candidates at once; scores
are one by one, so that of many classes some differ by chance. Error reductions have
theirs on the logarithms of the errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from .bootstrap import Interval
from .comparison import mean_rows
from .confusion import TRUE, segmentation_scores
from .resampled_ap import image_weights
from .simultaneous import best_set, simultaneous_intervals
from .trimap import inside_and_outside


@dataclass(frozen=True)
class SegmentationCounts:
    """Counts of the N images of a test set, stacked.

    Args:
        bands: (N, J + 1, 3, K) as in ``ImageCounts``.
        rims: (N, 3, K).
        sizes: (N, S, 3, K).
    """

    bands: np.ndarray
    rims: np.ndarray
    sizes: np.ndarray


Candidates = Mapping[str, Sequence[SegmentationCounts]]
# Begins the names of what is no score: how many classes a mean is over.
NUM_CLASSES = 'num_classes'


def scores_of(
    counts: SegmentationCounts,
    widths: Sequence[float],
    named_width: float,
    size_names: Sequence[str] = (),
    weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return every score of a test set, or of its resamples.

    Args:
        counts: Counts of its images.
        widths: J widths of bands.
        named_width: One of them.
        size_names: S names.
        weights: (R, N) how often each image was drawn; None for the set itself.

    Returns:
        (R,) values, or numbers; 'class ... IoU ...' and 'class pixel accuracy' are
        (R, K).
    """
    if named_width not in widths:
        raise ValueError(
            f'named width: expected one of {list(widths)}, got {named_width}'
        )
    drawn = np.ones((1, len(counts.bands))) if weights is None else weights
    bands = np.moveaxis(_summed(counts.bands, drawn), 1, 0)
    whole = segmentation_scores(bands.sum(0))
    found = {
        'mIoU': whole.mean_iou,
        'pixel accuracy': whole.pixel_accuracy,
        'class accuracy': whole.mean_accuracy,
        'class IoU': whole.iou,
        'class pixel accuracy': whole.class_accuracy,
        NUM_CLASSES: whole.num_classes,
    }
    rims = segmentation_scores(_summed(counts.rims, drawn))
    found['boundary mIoU'], found['class boundary IoU'] = rims.mean_iou, rims.iou
    found[f'{NUM_CLASSES} boundary'] = rims.num_classes
    named = {}
    sides = zip(('inside', 'outside'), inside_and_outside(bands), strict=True)
    for side, own in sides:
        scores = segmentation_scores(own)
        for place, width in enumerate(widths):
            found[f'mIoU {side} {width:g}'] = scores.mean_iou[place]
            found[f'pixel accuracy {side} {width:g}'] = scores.pixel_accuracy[place]
            found[f'class accuracy {side} {width:g}'] = scores.mean_accuracy[place]
            found[f'{NUM_CLASSES} {side} {width:g}'] = scores.num_classes[place]
            if width == named_width:
                named[side] = found[f'class IoU {side} {width:g}'] = scores.iou[place]
    found.update(_errors(named['inside'], named['outside']))
    sizes = segmentation_scores(_summed(counts.sizes, drawn))
    for place, name in enumerate(size_names):
        found[f'class accuracy {name}'] = sizes.mean_accuracy[:, place]
    if weights is None:
        return {name: values[0] for name, values in found.items()}
    return found


def _errors(inside: np.ndarray, outside: np.ndarray) -> dict[str, np.ndarray]:
    """Return the logarithms of (R,) errors, out of (R, K) IoU on either side."""
    is_common = np.isfinite(inside) & np.isfinite(outside)
    number = is_common.sum(-1)
    logs = []
    for iou in (inside, outside):
        nan = np.full(number.shape, np.nan)
        errors = np.where(is_common, 1 - iou, 0).sum(-1)
        mean = np.divide(errors, number, out=nan.copy(), where=number > 0)
        logs.append(np.log(mean, out=nan, where=mean > 0))
    return {
        'ln error inside': logs[0],
        'ln error outside': logs[1],
        'ln error inside - outside': logs[0] - logs[1],
        f'{NUM_CLASSES} ln error': number,
    }


def _number_of_classes(key: str) -> str | None:
    """Return the name of the number of classes that a mean is over, None if of one."""
    if key.startswith('ln error'):
        return f'{NUM_CLASSES} ln error'
    if key == 'boundary mIoU':
        return f'{NUM_CLASSES} boundary'
    kind, _, where = key.partition(' ')
    if kind in ('pixel', 'class'):
        _, _, where = where.partition(' ')
    elif kind != 'mIoU':
        return None
    return f'{NUM_CLASSES} {where}'.strip()


def _summed(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (R, ...) sums over the images, by weight."""
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    return (weights.astype(np.float64) @ flat).reshape(len(weights), *counts.shape[1:])


def comparison_records(
    candidates: Candidates,
    baseline: str,
    widths: Sequence[float],
    named_width: float,
    classes: Sequence[str],
    size_names: Sequence[str] = (),
    num_resamples: int = 1000,
) -> list[dict]:
    """Return the scores of each seed, and their differences to the baseline.

    Args:
        candidates: Counts of each candidate, one a seed.
        baseline: The candidate that others are compared with.
        widths: J widths of bands.
        named_width: The one of error reductions.
        classes: K names.
        size_names: S names of sizes.
        num_resamples: Resamples of the images.
    """
    num_images = len(next(iter(candidates.values()))[0].bands)
    weights = image_weights(num_images, num_resamples, seed=0)
    settings = (widths, named_width, size_names)
    plain, drawn = {}, {}
    for name, seeds in candidates.items():
        plain[name] = [_by_class(scores_of(one, *settings), classes) for one in seeds]
        resampled = [
            _by_class(scores_of(one, *settings, weights), classes) for one in seeds
        ]
        drawn[name] = {
            key: np.mean([one[key] for one in resampled], axis=0)
            for key in resampled[0]
        }
    records = [
        dict(kind='score', candidate=name, seed=seed, score=key, value=float(value))
        for name, seeds in plain.items()
        for seed, scores in enumerate(seeds)
        for key, value in scores.items()
    ]
    carriers = _carriers(next(iter(candidates.values()))[0], classes, size_names)
    for key in drawn[baseline]:
        if key.startswith(NUM_CLASSES):
            continue
        num_images = carriers.get(key.rpartition(' of ')[2], len(weights[0]))
        if key.startswith('class accuracy'):
            num_images = carriers.get(key.removeprefix('class accuracy '), num_images)
        own = {name: [one[key] for one in seeds] for name, seeds in plain.items()}
        values = {name: one[key] for name, one in drawn.items()}
        num_used = int(np.isfinite(list(values.values())).all(0).sum())
        without = [n for n, one in own.items() if not np.isfinite(one).all()]
        sizes = dict(resamples=num_used, num_images=num_images)
        if num_used < 2 or num_images < 2 or without:
            why = dict(score=key, candidates=without, **sizes)
            records.append(dict(kind='undefined', **why))
            continue
        number = _number_of_classes(key)
        if number in drawn[baseline]:
            # Of the truth alone: the same for all candidates.
            sizes['num_classes'] = int(plain[baseline][0][number])
            is_short = drawn[baseline][number] < sizes['num_classes']
            sizes['resamples_without_a_class'] = int(is_short.sum())
        found = simultaneous_intervals(own, values, baseline, num_images)
        for name, interval in found.items():
            head = dict(candidate=name, baseline=baseline, score=key, **sizes)
            records.append(dict(kind='difference', **head, **asdict(interval)))
            if key.startswith('ln error'):
                records.append(
                    dict(kind='error_reduction', **head, **_reduction(interval))
                )
        # With one seed training noise is unknown: no claim is made.
        if key in ('mIoU', 'boundary mIoU'):
            records += mean_rows(own, values, num_images, dict(score=key))
        several = [name for name, seeds in own.items() if len(seeds) > 1]
        if key in ('mIoU', 'boundary mIoU') and len(several) > 1:
            tables = ({name: one[name] for name in several} for one in (own, values))
            best = best_set(*tables, num_images)
            others = [name for name in own if name not in several]
            best = dict(candidates=best, not_compared=others)
            records.append(dict(kind='best', score=key, **best))
    return records


def rim_records(
    candidates: Candidates, classes: Sequence[str], image_ids: Sequence[str]
) -> list[dict]:
    """Return Boundary IoU for each image and class that is there: means over seeds.

    Args:
        candidates: Counts of each candidate, one a seed.
        classes: K names.
        image_ids: N names.
    """
    records = []
    for name, seeds in candidates.items():
        iou = np.mean([segmentation_scores(one.rims).iou for one in seeds], axis=0)
        for image, label in zip(*np.nonzero(np.isfinite(iou)), strict=True):
            head = dict(kind='rim', candidate=name, image=image_ids[image])
            value = float(iou[image, label])
            records.append(dict(**head, name=classes[label], boundary_iou=value))
    return records


def _carriers(
    counts: SegmentationCounts, classes: Sequence[str], size_names: Sequence[str]
) -> dict[str, int]:
    """Return how many images have each class, and each size: intervals are of so many.

    Args:
        counts: Of any candidate: the true pixels are the same for all.
        classes: K names.
        size_names: S names.
    """
    has_class = counts.bands[:, :, TRUE].sum(1) > 0
    has_size = counts.sizes[:, :, TRUE].sum(2) > 0
    by_class = zip(classes, has_class.sum(0).tolist(), strict=True)
    by_size = zip(size_names, has_size.sum(0).tolist(), strict=True)
    return {**dict(by_class), **dict(by_size)}


def _by_class(scores: dict[str, np.ndarray], classes: Sequence[str]) -> dict:
    """Return the scores with one for each class in the place of the table."""
    found = {}
    for key, values in scores.items():
        if not key.startswith('class ') or not {'IoU', 'pixel'} & set(key.split()):
            found[key] = values
            continue
        what = key.removeprefix('class ')
        for place, name in enumerate(classes):
            found[f'{what} of {name}'] = values[..., place]
    return found


def _reduction(interval: Interval) -> dict[str, float]:
    """Return the relative reduction of an error out of the change of its logarithm.

    Of 'inside - outside' it is 1 less the ratio of what is left of either error: above
    0 where the error inside shrinks more.
    """
    return dict(
        reduction=float(-np.expm1(interval.difference)),
        low=float(-np.expm1(interval.high)),
        high=float(-np.expm1(interval.low)),
        variance_of_seeds=interval.variance_of_seeds,
    )
