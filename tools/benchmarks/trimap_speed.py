"""How fast are the counts of 40 bands around boundaries, inside and outside?

    python tools/benchmarks/trimap_speed.py [--tests 3]

On generated label maps of VOC's size, one thread: this package's one distance transform
and one histogram against a dilation by OpenCV and two bincounts for each width, in the
same run, with equal counts; and what else is counted of an image. With --tests, also
tools/test.py with and without the metric, so many times in turn, on as many images.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from tool_runs import ROOT, run_tool

from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.scoring.segmentation_counts import BandSettings, image_counts
from mmdetxfer.scoring.trimap import (
    band_confusion,
    boundary_distances,
    edges,
    inside_and_outside,
)

WIDTHS = np.arange(1, 41)
NUM_CLASSES, VOID = 21, 255
SHAPE = (375, 500)
CONFIG = ROOT / 'configs/transfer_seg/deeplab_r18_1xb8-500i_world-voc.py'
METRIC = ", dict(type='mmdetxfer.TrimapMetric')"


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=50)
    parser.add_argument('--tests', type=int, default=0, help='of tools/test.py, each')
    return parser.parse_args()


def generated(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels in blocks, lined with void pixels, and a prediction near them."""
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, NUM_CLASSES, (5, 6)).astype(np.uint8)
    truth = cv2.resize(blocks, SHAPE[::-1], interpolation=cv2.INTER_NEAREST)
    moved = np.roll(truth, rng.integers(-5, 6, 2), axis=(0, 1))
    truth[cv2.dilate(edges(truth).astype(np.uint8), np.ones((3, 3))) > 0] = VOID
    return truth, moved


def by_dilations(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return (2, J, K, K) counts inside and outside, a width after the other."""
    is_void = (truth == VOID).astype(np.uint8)
    pairs = truth.astype(np.int64) * NUM_CLASSES + predicted
    counts = []
    for width in WIDTHS:
        kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
        band = cv2.dilate(is_void, kernel) > is_void
        rest = ~band & (is_void == 0)
        counts.append(
            [np.bincount(pairs[own], minlength=NUM_CLASSES**2) for own in (band, rest)]
        )
    found = np.array(counts).swapaxes(0, 1)
    return found.reshape(2, len(WIDTHS), NUM_CLASSES, NUM_CLASSES)


def by_distances(
    truth: np.ndarray, predicted: np.ndarray, metric: str = 'square'
) -> np.ndarray:
    """Return the same out of one histogram."""
    distances = boundary_distances(truth, VOID, 'void', metric)
    bands = band_confusion(truth, predicted, distances, WIDTHS, NUM_CLASSES, VOID)
    return np.stack(inside_and_outside(bands))


def milliseconds(run: Callable, maps: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return how long an image takes."""
    run(*maps[0])
    start = time.perf_counter()
    for one in maps:
        run(*one)
    return 1000 * (time.perf_counter() - start) / len(maps)


def in_a_test() -> Callable:
    """Return what a test of mmseg calls for each image."""
    import torch

    from mmdetxfer.evaluation import TrimapMetric

    metric = TrimapMetric()
    metric.dataset_meta = dict(classes=[str(k) for k in range(NUM_CLASSES)])

    def process(truth: np.ndarray, predicted: np.ndarray) -> None:
        maps = (
            torch.from_numpy(one.astype(np.int64)[None]) for one in (truth, predicted)
        )
        names = ('gt_sem_seg', 'pred_sem_seg')
        metric.process(
            None, [{n: dict(data=m) for n, m in zip(names, maps, strict=True)}]
        )

    return process


def write_set(folder: Path, maps: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Write label maps with pictures of noise in VOC's layout."""
    lists = folder / 'ImageSets' / 'Segmentation'
    for part in (lists, folder / 'JPEGImages', folder / 'SegmentationClass'):
        part.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, (truth, _) in enumerate(maps):
        noise = rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'JPEGImages/{number:04d}.jpg'), noise)
        cv2.imwrite(str(folder / f'SegmentationClass/{number:04d}.png'), truth)
    names = ''.join(f'{number:04d}\n' for number in range(len(maps)))
    (lists / 'val.txt').write_text(names)


def write_weights(path: Path) -> None:
    """Write weights drawn at random, for the embedded segmentor."""
    import torch
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from mmseg.registry import MODELS
    from mmseg.utils import register_all_modules

    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(CONFIG).model)
    torch.save(dict(state_dict=model.state_dict()), path)


def seconds_of_test(folder: Path, metric: str, number: int) -> float:
    """Return what an image takes in tools/test.py, as mmengine's timer says."""
    child = folder / f'{number}.py'
    child.write_text(
        f'_base_ = {str(CONFIG)!r}\n'
        "load_from, input_convention = None, 'from_config'\n"
        f'test_dataloader = dict(dataset=dict(data_root={str(folder)!r}))\n'
        f"test_evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU']){metric}]\n"
    )
    words = [child, folder / 'weights.pth', '--work-dir', folder / str(number)]
    run_tool('test.py', words, folder / 'log.txt')
    (file,) = (folder / str(number)).glob('*/*.json')
    return json.loads(file.read_text())['time']


def cost_in_tests(
    maps: list[tuple[np.ndarray, np.ndarray]], num_tests: int
) -> tuple[float, float]:
    """Return ms an image without the metric, and what it adds: medians of tests."""
    taken: dict[str, list[float]] = {'': [], METRIC: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_set(folder, maps)
        write_weights(folder / 'weights.pth')
        for turn in range(num_tests):
            for place, (metric, own) in enumerate(taken.items()):
                own.append(seconds_of_test(folder, metric, 2 * turn + place))
    without, beside = (1000 * float(np.median(own)) for own in taken.values())
    return without, beside - without


@one_line_errors
def main() -> None:
    """Measure and print."""
    args = parse_args()
    if args.images < 1:
        raise UserError(f'--images: expected 1 or more, got {args.images}')
    cv2.setNumThreads(1)
    maps = [generated(number) for number in range(args.images)]
    for truth, predicted in maps[:5]:
        if not np.array_equal(
            by_dilations(truth, predicted), by_distances(truth, predicted)
        ):
            raise UserError('expected equal counts by dilations and by distances')
    settings = BandSettings(NUM_CLASSES)
    dilations = milliseconds(by_dilations, maps)
    rows = {
        'square band': milliseconds(by_distances, maps),
        'euclidean band': milliseconds(lambda *m: by_distances(*m, 'euclidean'), maps),
        'all of an image, Boundary IoU too': milliseconds(
            lambda *m: image_counts(*m, settings), maps
        ),
        'TrimapMetric in a test': milliseconds(in_a_test(), maps),
    }
    if args.tests:
        without, added = cost_in_tests(maps, args.tests)
        rows['tools/test.py without the metric'] = without
        rows['what the metric adds there'] = added
    table = Table('40 widths, 500 x 375, one thread', 'ms an image', 'images a second')
    table.add_row(
        '40 dilations, 80 bincounts', f'{dilations:.1f}', f'{1e3 / dilations:.0f}'
    )
    for name, taken in rows.items():
        table.add_row(name, f'{taken:.2f}', f'{1e3 / taken:.0f}')
    table.add_row(
        'ratio of the first two', f'{dilations / rows["square band"]:.0f}', ''
    )
    Console(width=100).print(table)


if __name__ == '__main__':
    main()
