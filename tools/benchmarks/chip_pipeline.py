"""How fast does a worker make chips? Crop first, against resizing the whole image.

    python tools/benchmarks/chip_pipeline.py

Both ways decode the same generated JPEG files (350 to 540 kB a megapixel) and
end with the same chips, for the plans of VOC, COCO and OpenImages. A third way decodes
at a part of the size where the chip is coarse. One process, one thread; ratios are of
one run.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmdetxfer.chips import TRUTH, BoxTable, Chip, ChipPlan, plan_epoch
from mmdetxfer.chips.counter_hash import hash_counters
from mmdetxfer.chips.crop import crop_window
from mmdetxfer.datasets.chip_transforms import CropToChip, LoadChipImage
from mmdetxfer.errors import one_line_errors

THREE_SCALES = dict(valid_ranges=((-1, 80), (32, 150), (120, -1)))
TWO_SCALES = dict(valid_ranges=((-1, 300), (300, -1)), side_limit_px=450)
PLANS = {
    'VOC, 500 x 375': (
        (500, 375),
        ChipPlan(((1400, 2000), (800, 1280), (-1, 512)), **THREE_SCALES),
    ),
    'COCO, 640 x 480': ((640, 480), ChipPlan((3.0, 1.667, (-1, 512)), **THREE_SCALES)),
    'OpenImages, 1024 x 768': (
        (1024, 768),
        ChipPlan(((768, 1024), (480, 512)), **TWO_SCALES),
    ),
}


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=40, help='of each data set')
    return parser.parse_args()


def write_images(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """Write JPEG files with structure at all sizes."""
    paths = []
    for number in range(count):
        rng = np.random.default_rng(number)
        image = np.full((size[1], size[0], 3), 128.0)
        for cells, strength in ((4, 50), (16, 35), (64, 20), (256, 12)):
            noise = rng.normal(0, strength, (cells, cells, 3))
            image += cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
        path = folder / f'{size[0]}_{number}.jpg'
        cv2.imwrite(str(path), image.clip(0, 255).astype(np.uint8))
        paths.append(path)
    return paths


def planned(plan: ChipPlan, size: tuple[int, int], count: int) -> list[Chip]:
    """Plan the chips of images with eight boxes of 10 px to the image's side."""
    rng = np.random.default_rng(0)
    spans = np.exp(rng.uniform(np.log(10), np.log(min(size)), (count * 8, 2)))
    starts = rng.uniform(size=spans.shape) * (np.array(size) - 1 - spans)
    table = BoxTable(
        widths=np.full(count, size[0]),
        heights=np.full(count, size[1]),
        keys=hash_counters(np.arange(count)),
        offsets=np.arange(count + 1) * 8,
        boxes=np.concatenate([starts, starts + spans], axis=1),
        kinds=np.full(count * 8, TRUTH),
    )
    chips = plan_epoch(table, plan, 0, 0)
    return [chips.chip(row) for row in range(len(chips))]


def crop_first(plan: ChipPlan, reduced: bool) -> Callable[[Path, Chip, tuple], object]:
    """Return a function that makes a chip by the transforms of this package."""
    load, crop = LoadChipImage(reduced_decoding=reduced), CropToChip()

    def make(path: Path, chip: Chip, size: tuple[int, int]) -> np.ndarray:
        image = dict(img_path=str(path), width=size[0], height=size[1])
        return crop(load({**image, 'chip': chip, 'chip_plan': plan}))['img']

    return make


def resize_first(plan: ChipPlan) -> Callable[[Path, Chip, tuple], object]:
    """Return a function that scales the whole image and then cuts the chip out."""
    load = LoadChipImage()

    def make(path: Path, chip: Chip, size: tuple[int, int]) -> np.ndarray:
        image = load(dict(img_path=str(path), chip=chip))['img']
        image = image[:, ::-1] if chip.is_mirrored else image
        factors = dict(fx=chip.factor, fy=chip.factor)
        scaled = cv2.resize(image, None, **factors, interpolation=cv2.INTER_LINEAR)
        plain = chip._replace(is_mirrored=False, factor=1.0)
        x1, y1, x2, y2 = crop_window(plain, plan, scaled.shape[1], scaled.shape[0])
        return np.ascontiguousarray(scaled[y1:y2, x1:x2])

    return make


def chips_a_second(
    make: Callable, chips: list[Chip], paths: list[Path], size: tuple[int, int]
) -> float:
    """Return how many chips a second one way makes."""
    start = time.perf_counter()
    for chip in chips:
        make(paths[chip.image_index], chip, size)
    return len(chips) / (time.perf_counter() - start)


@one_line_errors
def main() -> None:
    """Measure each plan, all scales together and one by one."""
    args = parse_args()
    cv2.setNumThreads(0)
    table = Table('plan', 'scale', 'chips/s, crop first', 'ratio', 'ratio, reduced')
    with tempfile.TemporaryDirectory() as folder:
        for name, (size, plan) in track(PLANS.items(), 'measuring'):
            paths = write_images(Path(folder), size, args.images)
            chips = planned(plan, size, args.images)
            ways = (resize_first(plan), crop_first(plan, False), crop_first(plan, True))
            groups = {'all': chips}
            for index in range(plan.num_scales):
                own = [chip for chip in chips if chip.scale_index == index]
                groups[f'x {np.median([c.factor for c in own]):.2f}'] = own
            for scale, group in groups.items():
                whole, crop, reduced = (
                    chips_a_second(make, group, paths, size) for make in ways
                )
                ratios = (f'{crop / whole:.2f}', f'{reduced / whole:.2f}')
                table.add_row(name, scale, f'{crop:.0f}', *ratios)
    Console().print(table)


if __name__ == '__main__':
    main()
