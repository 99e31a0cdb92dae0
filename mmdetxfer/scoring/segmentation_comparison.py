"""Segmentors of several pre-trainings on one test set: where a gain comes from.

If a pre-training helps the borders, its gain shrinks away from them; if it helps whole
objects, it does not (Li et al. 2019, Figure 2). So mIoU is told inside and outside of
each width, and at one named width the relative error reduction, 1 - (1 - mIoU) / (1 -
mIoU of the baseline), inside, outside, and whether the two differ. Intervals are those
of ``simultaneous``, over seeds and images; error reductions have theirs on the
logarithms of the errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from .bootstrap import Interval
from .confusion import segmentation_scores
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
        (R,) values, or numbers; 'class ... IoU ...' are (R, K).
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
        'num_classes': whole.num_classes,
    }
    rims = segmentation_scores(_summed(counts.rims, drawn))
    found['boundary mIoU'], found['class boundary IoU'] = rims.mean_iou, rims.iou
    sides = zip(('inside', 'outside'), inside_and_outside(bands), strict=True)
    for side, own in sides:
        scores = segmentation_scores(own)
        for place, width in enumerate(widths):
            found[f'mIoU {side} {width:g}'] = scores.mean_iou[place]
            found[f'pixel accuracy {side} {width:g}'] = scores.pixel_accuracy[place]
            found[f'class accuracy {side} {width:g}'] = scores.mean_accuracy[place]
            if width == named_width:
                found[f'class IoU {side} {width:g}'] = scores.iou[place]
    errors = {}
    for side in ('inside', 'outside'):
        error = 1 - found[f'mIoU {side} {named_width:g}']
        nan = np.full(error.shape, np.nan)
        errors[side] = np.log(error, out=nan, where=error > 0)
        found[f'ln error {side}'] = errors[side]
    found['ln error inside - outside'] = errors['inside'] - errors['outside']
    sizes = segmentation_scores(_summed(counts.sizes, drawn))
    for place, name in enumerate(size_names):
        found[f'class accuracy {name}'] = sizes.mean_accuracy[:, place]
    if weights is None:
        return {name: values[0] for name, values in found.items()}
    return found


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
    for key in drawn[baseline]:
        if key == 'num_classes':
            continue
        own = {name: [one[key] for one in seeds] for name, seeds in plain.items()}
        values = {name: one[key] for name, one in drawn.items()}
        num_used = int(np.isfinite(list(values.values())).all(0).sum())
        if num_used < 2 or not all(np.isfinite(one).all() for one in own.values()):
            without = [n for n, one in own.items() if not np.isfinite(one).all()]
            records.append(dict(kind='undefined', score=key, candidates=without))
            continue
        found = simultaneous_intervals(own, values, baseline, num_images)
        for name, interval in found.items():
            head = dict(candidate=name, baseline=baseline, score=key)
            head['resamples'] = num_used
            records.append(dict(kind='difference', **head, **asdict(interval)))
            if key.startswith('ln error'):
                records.append(
                    dict(kind='error_reduction', **head, **_reduction(interval))
                )
        # With one seed training noise is unknown: no claim is made.
        several = [name for name, seeds in own.items() if len(seeds) > 1]
        if key in ('mIoU', 'boundary mIoU') and len(several) > 1:
            tables = ({name: one[name] for name in several} for one in (own, values))
            best = best_set(*tables, num_images)
            records.append(dict(kind='best', score=key, candidates=best))
    return records


def _by_class(scores: dict[str, np.ndarray], classes: Sequence[str]) -> dict:
    """Return the scores with one for each class in the place of the table."""
    found = {}
    for key, values in scores.items():
        if not key.startswith('class ') or 'IoU' not in key:
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
