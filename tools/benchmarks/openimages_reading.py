"""How fast are annotations of OpenImages' size there? Columns against mmdet's reader.

    python tools/benchmarks/openimages_reading.py

Generates boxes in the official format (1.74 M images, 14.6 M boxes, 1.2 GB), makes the
columns, opens them again, and reads items in four workers; mmdet's reader reads the
first --part images, and its time is taken as many times as there are more boxes. Every
measurement is a process of its own; times are without imports.
"""

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmdetxfer.errors import UserError, one_line_errors

HEADER = (
    'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,'
    'IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n'
)
MIDS = [f'/m/{number:05d}' for number in range(601)]
BLOCK = 20_000
PROLOGUE = """
import json, multiprocessing, resource, sys, time
folder = sys.argv[1]
from mmdet.datasets import OpenImagesDataset
from mmdetxfer.datasets import ColumnarOpenImagesDataset
def ours():
    return ColumnarOpenImagesDataset(
        ann_file=f'{folder}/boxes.csv', label_file=f'{folder}/classes.csv',
        size_file=f'{folder}/sizes.csv', cache_dir=f'{folder}/cache')
def theirs():
    return OpenImagesDataset(
        ann_file=f'{folder}/part.csv', label_file=f'{folder}/classes.csv',
        hierarchy_file=f'{folder}/hierarchy.json', meta_file=f'{folder}/part.pkl',
        data_prefix=dict(img=''))
def finish(**values):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(dict(peak_gib=peak, **values)))
start = time.perf_counter()
"""
MEASUREMENTS = {
    'made': 'ours()[0]; finish(seconds=time.perf_counter() - start)',
    'opened': 'ours()[0]; finish(seconds=time.perf_counter() - start)',
    'mmdet': 'theirs()[0]; finish(seconds=time.perf_counter() - start)',
    'workers': """
import gc
data = ours()
data[0]
def work(number, results):
    # A full collection writes to every object of the interpreter.
    gc.collect()
    items = range(number, len(data), max(len(data) // 20000, 1)) if number < 4 else []
    for index in items:
        data[index]
    lines = open('/proc/self/smaps_rollup').read().splitlines()
    words = [line.split() for line in lines if line.startswith('Private_Dirty')]
    results.put((number, sum(int(word[1]) for word in words) / 1024))
fork = multiprocessing.get_context('fork')
results = fork.Queue()
workers = [fork.Process(target=work, args=(n, results)) for n in range(5)]
[worker.start() for worker in workers]
found = dict(results.get() for _ in workers)
finish(idle_mib=found.pop(4), private_mib=max(found.values()))
""",
}


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=1_740_000)
    parser.add_argument('--part', type=int, default=60_000, help='for mmdet')
    return parser.parse_args()


def write_files(folder: Path, num_images: int, part: int) -> tuple[int, int]:
    """Write the annotation; return the numbers of boxes of the whole and the part."""
    rng = np.random.default_rng(0)
    num_boxes, num_part, metas = 0, 0, []
    files = ('boxes.csv', 'part.csv', 'sizes.csv')
    boxes, some, sizes = (open(folder / name, 'w') for name in files)
    with boxes, some, sizes:
        boxes.write(HEADER)
        some.write(HEADER)
        sizes.write('ImageID,Width,Height\n')
        for first in track(range(0, num_images, BLOCK), 'writing boxes'):
            count = min(BLOCK, num_images - first)
            ids = [f'{number:016x}' for number in range(first, first + count)]
            rows = generated_rows(ids, rng)
            boxes.writelines(rows)
            num_boxes += len(rows)
            sizes.writelines(f'{one},1024,768\n' for one in ids)
            if first < part:
                some.writelines(rows)
                num_part += len(rows)
                shape = dict(ori_shape=(768, 1024, 3))
                metas.extend(dict(filename=f'{one}.jpg', **shape) for one in ids)
    (folder / 'part.pkl').write_bytes(pickle.dumps(metas))
    (folder / 'hierarchy.json').write_text('{}')
    names = ''.join(f'{mid},name {mid}\n' for mid in MIDS)
    (folder / 'classes.csv').write_text(names)
    return num_boxes, num_part


def generated_rows(ids: list[str], rng: np.random.Generator) -> list[str]:
    """Return rows of the CSV file, 8.4 an image."""
    images = np.repeat(np.arange(len(ids)), rng.poisson(7.4, len(ids)) + 1)
    starts = rng.random((len(images), 2)) * 0.6
    ends = starts + rng.random(starts.shape) * 0.4
    labels = rng.integers(0, len(MIDS), len(images)).tolist()
    groups = (rng.random(len(images)) < 0.05).astype(int).tolist()
    columns = zip(
        images.tolist(), labels, starts.tolist(), ends.tolist(), groups, strict=True
    )
    return [
        f'{ids[image]},xclick,{MIDS[label]},1,{x1:.6f},{x2:.6f},{y1:.6f},{y2:.6f},'
        f'0,0,{group},0,0\n'
        for image, label, (x1, y1), (x2, y2), group in columns
    ]


def measured(name: str, folder: Path) -> dict:
    """Run one measurement in a fresh process."""
    command = [sys.executable, '-W', 'ignore', '-c', PROLOGUE + MEASUREMENTS[name]]
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError(f'{name}: {done.stderr.splitlines()[-1]}')
    return json.loads(done.stdout.splitlines()[-1])


@one_line_errors
def main() -> None:
    """Write the files, measure, print times, peaks and ratios."""
    args = parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        num_boxes, num_part = write_files(folder, args.images, args.part)
        found = {name: measured(name, folder) for name in track(MEASUREMENTS)}
    theirs = found['mmdet']['seconds'] * num_boxes / num_part
    table = Table('what', 'seconds', 'peak, GiB', "mmdet's time, times")
    for name, text in (('made', 'CSV to cache'), ('opened', 'first item, warm cache')):
        one = found[name]
        ratio = f'{theirs / one["seconds"]:,.0f}'
        table.add_row(text, f'{one["seconds"]:.2f}', f'{one["peak_gib"]:.2f}', ratio)
    text = f"mmdet's reader, {num_part:,} boxes"
    one = found['mmdet']
    table.add_row(text, f'{one["seconds"]:.2f}', f'{one["peak_gib"]:.2f}', '')
    table.add_row(f'... as for {num_boxes:,}', f'{theirs:.0f}', '', '')
    Console(width=100).print(table)
    workers = found['workers']
    print(
        f'each of four workers that read 20,000 items has at most '
        f'{workers["private_mib"]:.0f} MiB of its own, one that read none '
        f'{workers["idle_mib"]:.0f} MiB'
    )


if __name__ == '__main__':
    main()
