"""Make an embedded world: drawn, labelled images in the layouts of real data sets.

    python tools/make_world.py --out data/world --size tiny --seed 0
    python tools/make_world.py --out data/world --size small --formats voc2007 coco

A killed run goes on where it stopped when it is called again; a finished one returns at
once. ``--preview`` draws a contact sheet of the world's kinds of images.
"""

import argparse
import os
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.worlds.preview import write_preview
from mmdetxfer.worlds.world import DEFAULT_FORMATS, FORMATS, Counts, Size, make_world


def parse_size(text: str) -> Size:
    """Return the name of a size, or a number of images."""
    return int(text) if text.isdigit() else text


def parse_args() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description='Draw an embedded world in the layouts of real data sets.'
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the world')
    parser.add_argument(
        '--size',
        type=parse_size,
        default='tiny',
        metavar='tiny|small|medium|N',
        help='images in each format: 24, 400 to 1000, 5000, or N (default: tiny)',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of all drawing')
    parser.add_argument(
        '--formats',
        nargs='+',
        default=list(DEFAULT_FORMATS),
        metavar='FORMAT',
        help=f'some of: {", ".join(FORMATS)} (default: all but coco_target)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(2, os.cpu_count() or 1),
        help='processes (default: 2)',
    )
    parser.add_argument(
        '--preview', action='store_true', help='also write preview.png, a contact sheet'
    )
    return parser.parse_args()


def counts_table(counts: dict[str, Counts]) -> Table:
    """Return a table of what the formats hold."""
    table = Table('format', 'split', 'images', 'instances', 'folder')
    for name, splits in counts.items():
        for split, numbers in splits.items():
            table.add_row(
                name,
                split,
                str(numbers['images']),
                str(numbers['instances']),
                FORMATS[name].folder,
            )
    return table


@one_line_errors
def main() -> None:
    """Make the world and print what it holds."""
    args = parse_args()
    console = Console()
    columns = ('{task.description}', BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        tasks = {}

        def show(description: str, done: int, total: int) -> None:
            if description not in tasks:
                tasks[description] = bars.add_task(description, total=total)
            bars.update(tasks[description], completed=done)

        try:
            counts = make_world(
                args.out, args.size, args.seed, args.formats, args.workers, show
            )
            if args.preview:
                write_preview(args.out / 'preview.png', args.seed)
        except OSError as error:
            raise UserError(f'cannot write the world to {args.out}: {error}') from error
    console.print(counts_table(counts))


if __name__ == '__main__':
    main()
