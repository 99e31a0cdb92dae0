"""How fast are chips planned? Against plain Python, and at OpenImages' size.

    python tools/benchmarks/chip_planning.py
    python tools/benchmarks/chip_planning.py --images 100000

First, plans of 8 boxes in images of 1866 x 1400 (a VOC image at SNIPER's finest scale):
plain Python chooses among the same candidates in the same order and must come to the
same chips. Then one epoch of as many images and boxes as OpenImages has, at two scales.
Ratios are of one run; times depend on the machine.
"""

import argparse
import time

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mmdetxfer.chips import TRUTH, BoxTable, ChipPlan, ChipTable, plan_epoch
from mmdetxfer.chips.counter_hash import draws, hash_counters
from mmdetxfer.chips.epoch import epoch_stride
from mmdetxfer.errors import UserError, one_line_errors

OPENIMAGES_BOXES_PER_IMAGE = 14.6 / 1.74
WIDTH, HEIGHT, CHIP = 1866, 1400, 512


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--plans', type=int, default=500, help='by plain Python')
    parser.add_argument(
        '--images', type=int, default=1_740_000, help='of the generated data set'
    )
    parser.add_argument('--threads', type=int, default=2)
    return parser.parse_args()


def drawn_table(
    num_images: int, boxes_per_image: float, size: tuple, most_px: float, seed: int = 0
) -> BoxTable:
    """Return a table of images of one size with boxes of 5 to ``most_px`` pixels."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(boxes_per_image, num_images)
    if boxes_per_image == int(boxes_per_image):
        counts[:] = int(boxes_per_image)
    num_boxes = int(counts.sum())
    spans = np.exp(rng.uniform(np.log(5), np.log(most_px), (num_boxes, 2)))
    spans = np.minimum(spans, np.array(size) - 1).astype(np.float32)
    starts = rng.random((num_boxes, 2), dtype=np.float32)
    starts *= np.array(size, np.float32) - 1 - spans
    return BoxTable(
        widths=np.full(num_images, size[0]),
        heights=np.full(num_images, size[1]),
        keys=hash_counters(np.arange(num_images)),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        boxes=np.concatenate([starts, starts + spans], axis=1),
        kinds=np.full(num_boxes, TRUTH),
    )


def plain_candidates(stride: int) -> list[tuple]:
    """Return the candidates of the image, in loops."""
    right, bottom = WIDTH - CHIP, HEIGHT - CHIP
    chips = [(right, 0, WIDTH - 1, CHIP), (0, bottom, CHIP, HEIGHT - 1)]
    chips.append((right, bottom, WIDTH - 1, HEIGHT - 1))
    for x in range(0, right, stride):
        for y in range(0, bottom, stride):
            chips.append((x, y, x + CHIP - 1, y + CHIP - 1))
    for y in range(0, bottom, stride):
        chips.append((right - 1, y, WIDTH - 1, y + CHIP - 1))
    for x in range(0, right, stride):
        chips.append((x, bottom - 1, x + CHIP - 1, HEIGHT - 1))
    return chips


def plain_plan(boxes: list, order: list, stride: int) -> list[tuple]:
    """Return the chips of one image as sets and loops find them."""
    candidates = plain_candidates(stride)
    held = []
    for index in order:
        x1, y1, x2, y2 = candidates[index]
        inside = {
            number
            for number, box in enumerate(boxes)
            if x1 <= box[0] and y1 <= box[1] and x2 >= box[2] and y2 >= box[3]
        }
        held.append((candidates[index], inside))
    chosen = []
    while True:
        chip, best = max(held, key=lambda pair: len(pair[1]))
        if not best:
            return chosen
        chosen.append(chip)
        covered = set(best)
        for _, inside in held:
            inside -= covered


def against_plain_python(num_plans: int) -> tuple[float, float]:
    """Return the seconds a plan takes in plain Python and in batches."""
    table = drawn_table(max(num_plans, 20_000), 8, (WIDTH, HEIGHT), 300)
    plan = ChipPlan((1.0,), ((-1, -1),), has_mirrored_copies=False)
    plan_epoch(drawn_table(1, 8, (WIDTH, HEIGHT), 300), plan, 0, 0)  # compiles
    start = time.perf_counter()
    chips = plan_epoch(table, plan, 0, 0)
    batched = (time.perf_counter() - start) / len(table)

    stride, seconds = epoch_stride(plan, 0, 0), 0.0
    for image in range(num_plans):
        key = hash_counters(0, 0, table.keys[image], False)[0]
        key = hash_counters(key, 0, 0)[0]
        order = np.argsort(draws(key, len(plain_candidates(stride)))).tolist()
        limits = [WIDTH - 2, HEIGHT - 2] * 2
        boxes = np.minimum(table.boxes[image * 8 : image * 8 + 8], limits).tolist()
        start = time.perf_counter()
        found = plain_plan(boxes, order, stride)
        seconds += time.perf_counter() - start
        mine = chips.corners[chips.image_indices == image].tolist()
        if mine != [list(chip) for chip in found]:
            raise UserError(
                f'image {image}: {mine} in batches, {found} in plain Python'
            )
    return seconds / num_plans, batched


def at_openimages_size(num_images: int, num_threads: int) -> tuple[float, ChipTable]:
    """Return the seconds and the chips of an epoch, without mirrored copies."""
    table = drawn_table(num_images, OPENIMAGES_BOXES_PER_IMAGE, (1024, 768), 1000)
    plan = ChipPlan(
        scales=((768, 1024), (480, 512)),
        valid_ranges=((-1, 300), (300, -1)),
        side_limit_px=450,
        has_mirrored_copies=False,
    )
    with Progress() as bar:
        task = bar.add_task('planning', total=num_images)
        start = time.perf_counter()
        chips = plan_epoch(
            table,
            plan,
            0,
            0,
            num_threads=num_threads,
            progress=lambda done, _: bar.update(task, completed=done),
        )
        return time.perf_counter() - start, chips


@one_line_errors
def main() -> None:
    """Measure and print."""
    args = parse_args()
    plain, batched = against_plain_python(args.plans)
    seconds, chips = at_openimages_size(args.images, args.threads)
    table = Table('what', 'measured')
    table.add_row('plain Python, a plan', f'{1e6 * plain:.0f} us')
    table.add_row('in batches, a plan, one thread', f'{1e6 * batched:.1f} us')
    table.add_row('ratio', f'{plain / batched:.0f}')
    size = f'{args.images:,} images, 2 scales, {args.threads} threads'
    table.add_row(size, f'{seconds:.1f} s, {len(chips):,} chips')
    table.add_row('their index', f'{chips.nbytes / 1e6:.0f} MB')
    Console().print(table)


if __name__ == '__main__':
    main()
