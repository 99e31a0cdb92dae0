"""How often do the intervals hold the true difference, when seeds and images vary?

    python tools/benchmarks/interval_coverage.py

Two candidates that are equally good are drawn again and again: every seed has an effect
of its own, every test image too (shared by both, and a part that is not), and the
score is either a mean over images or mAP at IoU 0.5 of drawn detections. Counted is how
often the interval of 95 % holds zero: the project's one rule, and for comparison an
interval over images alone and a percentile bootstrap over seeds. Three intervals at
once (max-t) hold all three differences of four equal candidates, or not.
"""

import argparse
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.scoring import (
    FoundObjects,
    TrueObjects,
    average_precisions,
    difference_interval,
    image_weights,
    match_objects,
    resampled_mean_precisions,
)
from mmdetxfer.scoring.simultaneous import simultaneous_intervals

NUM_IMAGES = 150
NUM_RESAMPLES = 400
# Seeds, and the standard deviation of a seed's effect against that of an image's mean.
CASES = ((3, 0.0), (3, 1.0), (3, 3.0), (5, 1.0), (5, 3.0))
Draw = Callable[[np.random.Generator, int, float], tuple[np.ndarray, np.ndarray]]


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repetitions', type=int, default=2000)
    parser.add_argument('--map-repetitions', type=int, default=300)
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def draw_means(
    rng: np.random.Generator, num_seeds: int, seed_effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return (4, S) scores of four candidates, (4, R) resampled means over seeds."""
    shared = rng.normal(0, 1, NUM_IMAGES)
    own = rng.normal(0, 1, (4, 1, NUM_IMAGES))
    effects = rng.normal(0, seed_effect / np.sqrt(NUM_IMAGES), (4, num_seeds, 1))
    noise = rng.normal(0, 0.5, (4, num_seeds, NUM_IMAGES))
    values = shared + own + effects + noise
    weights = image_weights(NUM_IMAGES, NUM_RESAMPLES, int(rng.integers(1 << 31)))
    return values.mean(2), values.mean(1) @ weights.T / NUM_IMAGES


def draw_precisions(
    rng: np.random.Generator, num_seeds: int, seed_effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for mAP: a seed finds more objects, or fewer, than another."""
    counts = 1 + rng.poisson(1, NUM_IMAGES)
    images = np.repeat(np.arange(NUM_IMAGES), counts)
    num_objects = len(images)
    labels = rng.integers(0, 3, num_objects)
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (num_objects, 1))
    # Objects of an image beside each other, so that each has its own detection.
    place = np.arange(num_objects) - np.repeat(np.cumsum(counts) - counts, counts)
    boxes[:, [0, 2]] += 20.0 * place[:, None]
    ignored = np.zeros(num_objects, dtype=bool)
    truth = TrueObjects(images, labels, boxes, ignored, is_inclusive=False)
    weights = image_weights(NUM_IMAGES, NUM_RESAMPLES, int(rng.integers(1 << 31)))
    ease = rng.normal(0, 1, num_objects)
    scores, drawn = [], []
    for _ in range(4):
        own = ease + rng.normal(0, 0.5, num_objects)
        of_seeds = []
        for _ in range(num_seeds):
            effect = rng.normal(0, seed_effect / np.sqrt(NUM_IMAGES))
            found = own + effect + rng.normal(0, 0.5, num_objects) > 0
            # As many false ones as objects, over all images.
            false = rng.integers(0, NUM_IMAGES, num_objects)
            far = np.tile([0.0, 50.0, 10.0, 60.0], (num_objects, 1))
            table = FoundObjects(
                np.concatenate([images[found], false]),
                np.concatenate([labels[found], rng.integers(0, 3, num_objects)]),
                np.concatenate([boxes[found], far]),
                np.concatenate(
                    [rng.normal(1, 1, found.sum()), rng.normal(0, 1, num_objects)]
                ),
            )
            tables = (truth, table, match_objects(truth, table), (0.5,), 3)
            of_seeds.append(
                (
                    average_precisions(*tables).mean()[0],
                    resampled_mean_precisions(*tables, weights)[0][:, 0],
                )
            )
        scores.append([score for score, _ in of_seeds])
        drawn.append(np.mean([one for _, one in of_seeds], axis=0))
    return np.array(scores), np.array(drawn)


def holds_zero(
    rng: np.random.Generator, draw: Draw, num_seeds: int, seed_effect: float
) -> tuple[bool, bool, bool, bool]:
    """Return whether each kind of interval holds a difference of zero, in one draw."""
    scores, drawn = draw(rng, num_seeds, seed_effect)
    first, second = scores[:2]
    one = difference_interval(first, second, drawn[0], drawn[1], NUM_IMAGES)
    half = 1.96 * np.sqrt(one.variance_of_images)
    picks = rng.integers(0, num_seeds, (2, 1000, num_seeds))
    means = first[picks[0]].mean(1) - second[picks[1]].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    names = 'abcd'
    together = simultaneous_intervals(
        dict(zip(names, scores, strict=True)),
        dict(zip(names, drawn, strict=True)),
        'a',
        NUM_IMAGES,
    )
    return (
        one.low <= 0 <= one.high,
        abs(one.difference) <= half,
        bool(low <= 0 <= high),
        all(own.low <= 0 <= own.high for own in together.values()),
    )


@one_line_errors
def main() -> None:
    """Draw, count and print."""
    args = parse_args()
    if min(args.repetitions, args.map_repetitions) < 1:
        raise UserError(
            'expected 1 repetition or more, got --repetitions '
            f'{args.repetitions}, --map-repetitions {args.map_repetitions}'
        )
    table = Table(
        'score',
        'seeds',
        'seed / image noise',
        'draws',
        'the rule',
        'images alone',
        'percentile of seeds',
        'three at once',
    )
    kinds = {
        'mean': (draw_means, args.repetitions),
        'mAP': (draw_precisions, args.map_repetitions),
    }
    for name, (draw, number) in kinds.items():
        for num_seeds, effect in CASES:
            rng = np.random.default_rng(args.seed)
            said = f'{name}, {num_seeds} seeds, {effect:g}'
            held = [
                holds_zero(rng, draw, num_seeds, effect)
                for _ in track(range(number), said, console=Console(stderr=True))
            ]
            shares = [f'{share:.1%}' for share in np.mean(held, axis=0)]
            table.add_row(name, str(num_seeds), f'{effect:g}', str(number), *shares)
    Console(width=110).print(table)


if __name__ == '__main__':
    main()
