"""How fast are AP at 18 thresholds by both rules, and their intervals?

    python tools/benchmarks/voc_sweep.py

On a generated test set of VOC2007's size (4,952 images, 20 classes, 100 detections an
image): this package's one pass against mmdet's ``eval_map``, called once for each
threshold and rule with its default number of processes, in the same run, with the same
AP; and 1,000 resamples of the images for two models and their difference.
"""

import argparse
import io
import time
from contextlib import redirect_stdout

import numpy as np
from rich.console import Console
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

THRESHOLDS = tuple(percent / 100 for percent in range(10, 100, 5))
RULES = {'area': 'area', 'eleven': '11points'}
NUM_CLASSES = 20


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=4952)
    parser.add_argument('--detections', type=int, default=100, help='in each image')
    parser.add_argument('--resamples', type=int, default=1000)
    return parser.parse_args()


def generated_truth(num_images: int) -> TrueObjects:
    """Return one to five objects an image, a tenth of them difficult."""
    rng = np.random.default_rng(0)
    images = np.repeat(np.arange(num_images), rng.integers(1, 6, num_images))
    corners = rng.uniform(0, 300, (len(images), 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 200, corners.shape)], 1)
    return TrueObjects(
        images,
        rng.integers(0, NUM_CLASSES, len(images)),
        boxes.astype(np.float32),
        rng.random(len(images)) < 0.1,
        is_inclusive=False,
    )


def generated_detections(
    truth: TrueObjects, num_images: int, number: int, spread_px: float
) -> FoundObjects:
    """Return detections around the objects of each image, some of other classes."""
    rng = np.random.default_rng(int(spread_px))
    first = np.searchsorted(truth.image_index, np.arange(num_images))
    counts = np.bincount(truth.image_index, minlength=num_images)
    images = np.repeat(np.arange(num_images), number)
    rows = first[images] + rng.integers(0, counts[images])
    boxes = truth.boxes[rows] + rng.normal(0, spread_px, (len(rows), 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    is_other = rng.random(len(rows)) < 0.5
    labels = np.where(is_other, rng.integers(0, NUM_CLASSES, len(rows)), 0)
    labels = np.where(is_other, labels, truth.labels[rows])
    scores = rng.permutation(len(rows)) / len(rows)
    return FoundObjects(images, labels, boxes.astype(np.float32), scores)


def our_way(truth: TrueObjects, found: FoundObjects) -> dict[str, np.ndarray]:
    """Return (T, K) AP by both rules, in one pass."""
    matches = match_objects(truth, found)
    table = average_precisions(truth, found, matches, THRESHOLDS, NUM_CLASSES)
    return {'area': table.area, 'eleven': table.eleven}


def tables_of_mmdet(
    truth: TrueObjects, found: FoundObjects, num_images: int
) -> tuple[list, list]:
    """Return detections and annotations as ``eval_map`` takes them."""
    annotations, detections = [], []
    rows = np.concatenate([found.boxes, found.scores[:, None]], axis=1)
    for image in range(num_images):
        own = truth.image_index == image
        good, difficult = own & ~truth.is_ignored, own & truth.is_ignored
        annotations.append(
            dict(
                bboxes=truth.boxes[good],
                labels=truth.labels[good],
                bboxes_ignore=truth.boxes[difficult],
                labels_ignore=truth.labels[difficult],
            )
        )
        of_image = slice(*np.searchsorted(found.image_index, [image, image + 1]))
        labels = found.labels[of_image]
        detections.append(
            [rows[of_image][labels == label] for label in range(NUM_CLASSES)]
        )
    return detections, annotations


def mmdets_way(detections: list, annotations: list) -> dict[str, np.ndarray]:
    """Return (T, K) AP by both rules, of a call for each threshold and rule."""
    from mmdet.evaluation import eval_map

    found = {}
    for rule, mode in RULES.items():
        values = []
        for threshold in THRESHOLDS:
            with redirect_stdout(io.StringIO()):
                _, classes = eval_map(
                    detections,
                    annotations,
                    iou_thr=threshold,
                    eval_mode=mode,
                    logger='silent',
                )
            values.append([one['ap'] for one in classes])
        found[rule] = np.array(values, dtype=np.float64)
    return found


def seconds(run, *arguments) -> tuple[float, dict[str, np.ndarray]]:
    """Return how long a call took, and what it returned."""
    start = time.perf_counter()
    result = run(*arguments)
    return time.perf_counter() - start, result


def check_equal(mine: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> int:
    """Compare AP; return how many by eleven points differ by the rounding of recalls.

    mmdet has recalls in single precision, where 3 of 10 is more than 0.3, in double
    precision less than what ten times 0.1 makes of it: one of its eleven precisions is
    then that of an earlier recall.
    """
    # Without objects mmdet says 0, this package nothing.
    has_some = np.isfinite(mine['area'])
    differ = np.abs(mine['area'] - theirs['area'])[has_some].max()
    if not differ <= 1e-5:
        raise UserError(f'AP by area: expected equal values, got {differ:g} apart')
    apart = np.abs(mine['eleven'] - theirs['eleven'])[has_some]
    if not apart.max() <= 1 / 11:
        raise UserError(
            f'AP by eleven points: expected values that differ by the rounding of '
            f'recalls at most, got {apart.max():g} apart'
        )
    return int((apart > 1e-5).sum())


def time_intervals(
    truth: TrueObjects, models: list[FoundObjects], args: argparse.Namespace
) -> float:
    """Return how long all resamples of two models and their differences take."""
    start = time.perf_counter()
    weights = image_weights(args.images, args.resamples, seed=0)
    scores, drawn = [], []
    for found in models:
        tables = (truth, found, match_objects(truth, found), THRESHOLDS, NUM_CLASSES)
        scores.append(average_precisions(*tables).mean())
        drawn.append(resampled_mean_precisions(*tables, weights)[0])
    for place in range(len(THRESHOLDS)):
        ends = [[one[place]] for one in scores] + [one[:, place] for one in drawn]
        difference_interval(*ends, args.images)
    return time.perf_counter() - start


@one_line_errors
def main() -> None:
    """Measure and print."""
    args = parse_args()
    if args.images < 2 or args.detections < 1 or args.resamples < 2:
        raise UserError(
            'expected two images, a detection and two resamples at least, got '
            f'{args.images}, {args.detections}, {args.resamples}'
        )
    truth = generated_truth(args.images)
    models = [
        generated_detections(truth, args.images, args.detections, spread)
        for spread in (12.0, 15.0)
    ]
    # Once before the clock starts, since the first call compiles.
    time_intervals(truth, models, argparse.Namespace(images=args.images, resamples=2))
    mine_s, mine = seconds(our_way, truth, models[0])
    mmdets = tables_of_mmdet(truth, models[0], args.images)
    theirs_s, theirs = seconds(mmdets_way, *mmdets)
    num_rounded = check_equal(mine, theirs)
    intervals_s = time_intervals(truth, models, args)
    table = Table(f'{args.images:,} images, {args.detections} detections each', '')
    table.add_row('18 thresholds, both rules: mmdetxfer', f'{mine_s:.2f} s')
    table.add_row("mmdet's eval_map, 36 calls", f'{theirs_s:.1f} s')
    table.add_row('ratio', f'{theirs_s / mine_s:.0f}')
    table.add_row('largest difference of AP by area', f'{_apart(mine, theirs):.1g}')
    table.add_row(
        'AP by eleven points that recalls in floating point change',
        f'{num_rounded} of {mine["eleven"].size}',
    )
    name = f'{args.resamples:,} resamples of two models, 18 differences'
    table.add_row(name, f'{intervals_s:.1f} s')
    Console(width=100).print(table)


def _apart(mine: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    return float(np.nanmax(np.abs(mine['area'] - theirs['area'])))


if __name__ == '__main__':
    main()
