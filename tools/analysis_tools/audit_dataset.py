"""Audit the data sets of a config of any host: what is damaged, wrong or left out.

Reads all annotation and image files once and prints a table by reason, with examples.
"""

import argparse
import os
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.config import Config, DictAction

from mmdetxfer.errors import UserError, one_line_errors

FILE_WIDTH = 400


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--split',
        choices=['train', 'val', 'test', 'all'],
        default='all',
        help='which data; images in two splits are only found with all (the default)',
    )
    parser.add_argument(
        '--strict', action='store_true', help='exit with 1 if anything is found'
    )
    parser.add_argument(
        '--allow',
        nargs='+',
        default=[],
        metavar='REASON',
        help='reasons that --strict lets pass, as the table names them, '
        "e.g. 'image without objects'",
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=len(os.sched_getaffinity(0)),
        help='processes that read image files (default: one a core; 0: none)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config, e.g. data_root=data/VOCdevkit/',
    )
    return parser.parse_args()


def watched(results: Iterable, total: int) -> Iterator:
    """Yield the results behind a progress bar."""
    from rich.progress import track

    yield from track(results, 'reading images', total=total)


def print_audit(table: Any, sets: list) -> None:
    """Print the data sets that were read and the table of what was found."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        # A file has no width, and broken paths cannot be copied.
        console.width = FILE_WIDTH
    for one in sets:
        found = one.annotations
        objects = (
            f'{len(found.object_images)} objects'
            if found.label_map_paths is None
            else f'{len(found.label_map_paths)} label maps'
        )
        used = 'none' if one.used is None else f'{one.used[0]} and {one.used[1]}'
        name, images = type(one.dataset).__name__, len(found.image_paths)
        console.print(
            f'{one.split}: {name}, {images} images and {objects} in the annotation, '
            f'{used} used by its reader',
            soft_wrap=True,
        )
    if not table.rows():
        console.print('nothing found')
        return
    grid = Table(show_lines=True)
    grid.add_column('reason', no_wrap=True)
    grid.add_column('count', justify='right')
    grid.add_column('examples', overflow='fold')
    for reason, count, examples in table.rows():
        grid.add_row(reason, str(count), Text('\n'.join(examples)))
    console.print(grid)


def check_options(args: argparse.Namespace) -> None:
    """Raise ``UserError`` for options that cannot be meant."""
    from mmdetxfer.datasets.audit import Reason

    if not os.path.isfile(args.config):
        raise UserError(
            f'config not found: expected a file at {args.config}; check the path'
        )
    if args.workers < 0:
        raise UserError(f'--workers: expected 0 or more processes, got {args.workers}')
    unknown = [name for name in args.allow if name not in set(Reason)]
    if unknown:
        raise UserError(
            f'--allow: {unknown[0]!r} is no reason; expected some of '
            + ', '.join(repr(str(reason)) for reason in Reason)
        )


@one_line_errors
def main() -> None:
    """Audit and print."""
    args = parse_args()
    check_options(args)
    from mmdetxfer.datasets.auditing import audit_config

    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    table, sets = audit_config(cfg, args.split, args.workers, watched)
    print_audit(table, sets)
    refused = [reason for reason, *_ in table.rows() if reason not in args.allow]
    if args.strict and refused:
        raise UserError(f'--strict: found {", ".join(refused)}')


if __name__ == '__main__':
    main()
