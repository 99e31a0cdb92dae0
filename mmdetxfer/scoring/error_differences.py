"""What one pre-training gets wrong that another gets right: differences of errors.

Totals of two detectors side by side do not tell which errors went away. Here each true
object has a state in either (found, found but misplaced or misnamed, missed), and a
table says how many went from which state to which; the false detections of each kind
are counted image by image; and what curing a kind would gain is compared. Differences
have the intervals of ``simultaneous``, over seeds and images.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

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
    error_gains,
    error_precisions,
    find_errors,
)

STATES = OBJECT_STATES[:IGNORED]
FALSE_KINDS = DETECTION_KINDS[RIGHT + 1 :]
Candidates = Mapping[str, Sequence[FoundObjects]]


@dataclass(frozen=True)
class Transitions:
    """Where objects go from one detector to another.

    Args:
        counts: (4, 4) objects by state in the first (rows) and second, in the order of
            ``STATES``; means over all pairs of seeds.
    """

    counts: np.ndarray

    @property
    def gained(self) -> float:
        """How many objects only the second finds."""
        return float(self.counts[1:, FOUND].sum())

    @property
    def lost(self) -> float:
        """How many objects only the first finds."""
        return float(self.counts[FOUND, 1:].sum())


def transitions(first: Sequence[Errors], second: Sequence[Errors]) -> Transitions:
    """Return where the objects go, given the errors of each seed of two detectors."""
    shares = []
    for errors in (first, second):
        states = np.array([one.states for one in errors])
        shares.append(np.array([(states == k).mean(0) for k in range(IGNORED)]))
    # Seeds are independent, so that the product is the mean over their pairs.
    return Transitions(shares[0] @ shares[1].T)


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


def false_counts(
    found: FoundObjects, errors: Errors, is_counted: np.ndarray, num_images: int
) -> np.ndarray:
    """Return (N, 5) false detections of each image by kind, as in ``FALSE_KINDS``."""
    chosen = is_counted & (errors.kinds != RIGHT) & ~errors.is_left_out
    counts = np.zeros((num_images, len(FALSE_KINDS)))
    places = (found.image_index[chosen], errors.kinds[chosen] - RIGHT - 1)
    np.add.at(counts, places, 1)
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
    scores: dict[str, dict[str, list[float]]] = {}
    resampled: dict[str, dict[str, list[np.ndarray]]] = {}
    for name, seeds in candidates.items():
        for seed, found in enumerate(seeds):
            if progress is not None:
                progress(f'errors of {name}, seed {seed}')
            own = errors[name][seed]
            tables = (truth, found, own, num_classes)
            gains = error_gains(error_precisions(*tables, plain))
            drawn = error_gains(error_precisions(*tables, weights))
            is_sure = surest_detections(truth, found, num_classes)
            counts = false_counts(found, own, is_sure, num_images)
            kinds = detection_kinds(truth, found, is_similar)
            shares = kind_shares(found, kinds, is_sure)
            head = dict(candidate=name, seed=seed)
            for key, gain in gains.items():
                row = dict(kind='error', measure='gain of AP50 if cured', error=key)
                records.append({**row, **head, 'value': float(gain[0])})
                measure = ('gain of AP50 if cured', key)
                _put(scores, resampled, measure, name, float(gain[0]), drawn[key])
            for place, key in enumerate(FALSE_KINDS):
                value = float(counts[:, place].sum())
                row = dict(kind='error', measure='false detections', error=key)
                records.append({**row, **head, 'value': value})
                measure = ('false detections', key)
                _put(
                    scores, resampled, measure, name, value, weights @ counts[:, place]
                )
            for key, share in shares.items():
                row = dict(kind='error', measure='share (Hoiem)', error=key)
                records.append({**row, **head, 'value': share})
    for (measure, key), own in scores.items():
        means = {
            name: np.mean(seeds, axis=0)
            for name, seeds in resampled[measure, key].items()
        }
        intervals = simultaneous_intervals(own, means, baseline, num_images)
        for name, interval in intervals.items():
            row = dict(kind='error_difference', measure=measure, error=key)
            row.update(candidate=name, baseline=baseline, **asdict(interval))
            records.append(row)
    return records + transition_records(errors, baseline)


def transition_records(
    errors: Mapping[str, Sequence[Errors]], baseline: str
) -> list[dict]:
    """Return how many objects go from which state in the baseline to which."""
    records = []
    for name in errors:
        if name == baseline:
            continue
        counts = transitions(errors[baseline], errors[name]).counts
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


def _put(scores, resampled, measure, name, value, drawn) -> None:
    scores.setdefault(measure, {}).setdefault(name, []).append(value)
    resampled.setdefault(measure, {}).setdefault(name, []).append(drawn)
