"""Put SBD's segmentations beside VOC2012's, as mmseg's pascal_voc12_aug.py reads them.

    python tools/dataset_converters/voc_sbd.py data/VOCdevkit data/VOCdevkit/VOCaug

A killed run goes on where it stopped.
"""

import argparse
import os
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from mmdetxfer.errors import UserError, one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('devkit', type=Path, help='VOCdevkit, which holds VOC2012')
    parser.add_argument('sbd', type=Path, help="SBD's folder, which holds dataset/")
    parser.add_argument('--workers', type=int, default=min(2, os.cpu_count() or 1))
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Convert, and say what there is."""
    args = parse_args()
    if args.workers < 1:
        raise UserError(f'--workers: expected 1 or more, got {args.workers}')
    from mmdetxfer.datasets.sbd_labels import LABELS, LISTS, convert_sbd

    columns = ('label maps', BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task('', total=None)
        counts = convert_sbd(
            args.devkit / 'VOC2012',
            args.sbd,
            args.workers,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(f'{LABELS}: {counts.made:,} written, {counts.kept:,} were there')
    print(
        f'{LISTS}: trainaug.txt has {counts.num_trainaug:,} images, aug.txt '
        f'{counts.num_aug:,} (of the whole data sets 10,582 and 9,118)'
    )


if __name__ == '__main__':
    main()
