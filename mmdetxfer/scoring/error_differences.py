"""What one pre-training gets wrong that another gets right: differences of errors.

Totals of two detectors side by side do not tell which errors went away. Here each true
object has a state in either (found, found but misplaced or misnamed, missed), and a
table says how many went from which state to which; false detections are counted by
kind, image by image, among the surest (of each class as many as it has objects, so that
no threshold of scores is needed); and what curing a kind would gain is compared.
Differences have the intervals of ``simultaneous``, over seeds and images.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numba
import numpy as np

from .hoiem import detection_kinds, kind_shares, surest_detections
from .objects import FoundObjects, TrueObjects
from .resampled_ap import image_weights
from .simultaneous import simultaneous_intervals
from .tide import (
    DETECTION_KINDS,
    FOUND,
    IGNORED,
    OBJECT_STATES,
    RIGHT,
    Errors,
    find_errors,
)
from .tide_gains import error_gains, error_precisions, weighted_counts

STATES = OBJECT_STATES[:IGNORED]
FALSE_KINDS = DETECTION_KINDS[RIGHT + 1 :]
GAINS, COUNTS = 'gain of AP50 if cured', 'false detections among the surest'
SHARES = "share (Hoiem's kinds)"
Candidates = Mapping[str, Sequence[FoundObjects]]


def transitions(first: Sequence[Errors], second: Sequence[Errors]) -> np.ndarray:
    """Return (4, 4) objects by state in one detector (rows) and another.

    They are means over all pairs of seeds, in the order of ``STATES``.

    Args:
        first: Errors of each seed of one detector.
        second: Of the other.
    """
    shares = []
    for errors in (first, second):
        states = np.array([one.states for one in errors])
        shares.append(np.array([(states == k).mean(0) for k in range(IGNORED)]))
    # Seeds are independent, so that the product is the mean over their pairs.
    return shares[0] @ shares[1].T


def found_shares(errors: Sequence[Errors]) -> np.ndarray:
    """Return (G,) in which share of the seeds an object is found; nan if ignored."""
    states = np.array([one.states for one in errors])
    return np.where(states[0] == IGNORED, np.nan, (states == FOUND).mean(0))


def image_gains(
    truth: TrueObjects,
    first: Sequence[Errors],
    second: Sequence[Errors],
    num_images: int,
    chosen: np.ndarray | None = None,
) -> np.ndarray:
    """Return (N,) how many objects of each image more the second finds.

    Args:
        truth: The objects.
        first: Errors of each seed of one detector.
        second: Of the other.
        num_images: Images of the test set.
        chosen: (G,) which objects count; None for all.
    """
    gains = np.nan_to_num(found_shares(second) - found_shares(first))
    if chosen is not None:
        gains = np.where(chosen, gains, 0)
    return np.bincount(truth.image_index, weights=gains, minlength=num_images)


def false_counts_of_images(
    found: FoundObjects, errors: Errors, is_counted: np.ndarray, num_images: int
) -> np.ndarray:
    """Return (N, 5) false detections of each image by kind, as in ``FALSE_KINDS``."""
    chosen = is_counted & (errors.kinds != RIGHT) & ~errors.is_left_out
    counts = np.zeros((num_images, len(FALSE_KINDS)))
    places = (found.image_index[chosen], errors.kinds[chosen] - RIGHT - 1)
    np.add.at(counts, places, 1)
    return counts


def resampled_false_counts(
    truth: TrueObjects,
    found: FoundObjects,
    errors: Errors,
    num_classes: int,
    weights: np.ndarray,
) -> np.ndarray:
    """Return (R, 5) false detections by kind among the surest of each resample.

    Args:
        truth: The objects.
        found: The detections.
        errors: What they are.
        num_classes: Classes of the test set.
        weights: (R, N) how often each image was drawn.
    """
    rows = np.argsort(-found.scores, kind='stable')
    rows = rows[np.argsort(found.labels[rows], kind='stable')]
    kinds = np.where(errors.is_left_out, RIGHT, errors.kinds)[rows]
    starts = np.searchsorted(found.labels[rows], np.arange(num_classes + 1))
    room = weighted_counts(truth, truth.is_ignored == 0, num_classes, weights)
    images = found.image_index[rows].astype(np.int64)
    return _count_surest(kinds, images, starts, np.ascontiguousarray(weights), room)


@numba.njit(parallel=True, cache=True)
def _count_surest(kinds, images, starts, weights, room):
    counts = np.zeros((len(weights), 5))
    for resample in numba.prange(len(weights)):
        for label in range(len(starts) - 1):
            left = room[resample, label]
            for row in range(starts[label], starts[label + 1]):
                if left <= 0:
                    break
                # Of a detection that was drawn more often, as many as there is room.
                taken = min(float(weights[resample, images[row]]), left)
                left -= taken
                if kinds[row] != RIGHT:
                    counts[resample, kinds[row] - RIGHT - 1] += taken
    return counts


def errors_of(truth: TrueObjects, candidates: Candidates) -> dict[str, list[Errors]]:
    """Return the errors of each seed of all candidates."""
    return {
        name: [find_errors(truth, found) for found in seeds]
        for name, seeds in candidates.items()
    }


def error_records(
    truth: TrueObjects,
    candidates: Candidates,
    errors: Mapping[str, Sequence[Errors]],
    baseline: str,
    is_similar: np.ndarray,
    num_images: int,
    num_resamples: int = 1000,
    progress: Callable[[str], None] | None = None,
) -> list[dict]:
    """Return errors of each candidate and seed, and how they differ from the baseline.

    What is undefined for a candidate (gains without a detection) is in no difference.

    Args:
        truth: The objects.
        candidates: Detections of each candidate, one table a seed.
        errors: What ``errors_of`` says of them.
        baseline: The candidate that others are compared with.
        is_similar: (K, K) which classes are similar, for Hoiem's kinds.
        num_images: Images of the test set.
        num_resamples: Resamples of the images.
        progress: Told what is being scored.
    """
    num_classes = len(is_similar)
    weights = image_weights(num_images, num_resamples, seed=0)
    plain = np.ones((1, num_images), dtype=np.uint16)
    records = []
    scores: dict[tuple, dict[str, list[float]]] = {}
    resampled: dict[tuple, dict[str, list[np.ndarray]]] = {}
    for name, seeds in candidates.items():
        for seed, found in enumerate(seeds):
            if progress is not None:
                progress(f'errors of {name}, seed {seed}')
            tables = (truth, found, errors[name][seed], num_classes)
            own, drawn = _measures(*tables, plain), _measures(*tables, weights)
            for key, values in own.items():
                scores.setdefault(key, {}).setdefault(name, []).append(float(values[0]))
                resampled.setdefault(key, {}).setdefault(name, []).append(drawn[key])
            is_sure = surest_detections(truth, found, num_classes)
            kinds = detection_kinds(truth, found, is_similar)
            shares = kind_shares(found, kinds, is_sure)
            values = {key: float(value[0]) for key, value in own.items()}
            values.update({(SHARES, key): share for key, share in shares.items()})
            head = dict(kind='error', candidate=name, seed=seed)
            records += [
                dict(**head, measure=measure, error=error, value=value)
                for (measure, error), value in values.items()
            ]
    for key in scores:
        means = {name: np.mean(one, axis=0) for name, one in resampled[key].items()}
        records += _differences(scores[key], means, baseline, num_images, key)
    return records + transition_records(errors, baseline)


def _measures(
    truth: TrueObjects,
    found: FoundObjects,
    errors: Errors,
    num_classes: int,
    weights: np.ndarray,
) -> dict[tuple[str, str], np.ndarray]:
    """Return (R,) values by measure and error."""
    tables = (truth, found, errors, num_classes, weights)
    gains = error_gains(error_precisions(*tables))
    values = {(GAINS, name): gain for name, gain in gains.items()}
    counts = resampled_false_counts(*tables)
    values.update({(COUNTS, n): counts[:, k] for k, n in enumerate(FALSE_KINDS)})
    return values


def _differences(scores, resampled, baseline, num_images, key) -> list[dict]:
    defined = [name for name in scores if np.isfinite(scores[name]).all()]
    if baseline not in defined:
        return []
    found = simultaneous_intervals(
        {name: scores[name] for name in defined},
        {name: resampled[name] for name in defined},
        baseline,
        num_images,
    )
    head = dict(kind='error_difference', measure=key[0], error=key[1])
    return [
        dict(**head, candidate=name, baseline=baseline, **asdict(interval))
        for name, interval in found.items()
    ]


def transition_records(
    errors: Mapping[str, Sequence[Errors]], baseline: str
) -> list[dict]:
    """Return how many objects go from which state in the baseline to which."""
    records = []
    for name in errors:
        if name == baseline:
            continue
        counts = transitions(errors[baseline], errors[name])
        for row, column in np.ndindex(*counts.shape):
            records.append(
                dict(
                    kind='transition',
                    candidate=name,
                    baseline=baseline,
                    state_in_baseline=STATES[row],
                    state=STATES[column],
                    objects=float(counts[row, column]),
                )
            )
    return records


def image_records(
    truth: TrueObjects,
    candidates: Candidates,
    errors: Mapping[str, Sequence[Errors]],
    baseline: str,
    num_classes: int,
    image_ids: Sequence[str],
) -> list[dict]:
    """Return for each image what it has more than in the baseline, means over seeds.

    Args:
        truth: The objects.
        candidates: Detections of each candidate, one table a seed.
        errors: What ``errors_of`` says of them.
        baseline: The candidate that others are compared with.
        num_classes: Classes of the test set.
        image_ids: Its images.
    """
    counts = {}
    for name, seeds in candidates.items():
        own = [
            false_counts_of_images(
                found,
                errors[name][seed],
                surest_detections(truth, found, num_classes),
                len(image_ids),
            )
            for seed, found in enumerate(seeds)
        ]
        counts[name] = np.mean(own, axis=0)
    records = []
    for name in candidates:
        if name == baseline:
            continue
        gains = image_gains(truth, errors[baseline], errors[name], len(image_ids))
        false = counts[name] - counts[baseline]
        for place, image in enumerate(image_ids):
            row = dict(kind='image', candidate=name, baseline=baseline, image=image)
            row['found'] = float(gains[place])
            for column, key in enumerate(FALSE_KINDS):
                row[f'false {key}'] = float(false[place, column])
            records.append(row)
    return records
