"""Which pre-training segments better, at borders or over whole objects?

    python tools/analysis_tools/compare_segmentors.py cls=a0,a1,a2 det=b0,b1,b2
        --config CONFIG --out work_dirs/comparison

A candidate is a name and a folder of label maps for each seed, as ``tools/test.py --out
FOLDER`` wrote them; the first is the baseline. CONFIG's test set is the truth, at its
original size. Into --out go ``records.jsonl``; tables as CSV and Markdown: mIoU,
accuracies and Boundary IoU, inside and outside of bands of all widths, class by class,
and relative error reductions at one width; curves (PNG, SVG) and panels of the images
in which candidates differ most.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from mmdetxfer.errors import UserError, one_line_errors

WIDTHS = list(range(1, 41))


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('candidates', nargs='+', metavar='NAME=FOLDER[,FOLDER...]')
    parser.add_argument('--config', required=True, help='whose test set is the truth')
    parser.add_argument('--out', type=Path, required=True, help='folder for the tables')
    parser.add_argument('--baseline', help='a name; the first candidate by default')
    parser.add_argument('--widths', type=float, nargs='+', default=WIDTHS)
    parser.add_argument(
        '--of-diagonal', action='store_true', help='widths are shares of the diagonal'
    )
    parser.add_argument('--kind', choices=['void', 'labels'], default='void')
    parser.add_argument(
        '--metric', choices=['square', 'euclidean'], default='square', help='distances'
    )
    parser.add_argument(
        '--named-width', type=float, help='of error reductions; the fifth by default'
    )
    parser.add_argument('--ignore-index', type=int, default=255, help='void pixels')
    parser.add_argument(
        '--sizes',
        nargs='+',
        default=[],
        metavar='NAME=LOW,HIGH',
        help='roots of areas of objects; needs SegmentationObject beside the labels',
    )
    parser.add_argument('--resamples', type=int, default=1000, help='of the images')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of CONFIG'
    )
    return parser.parse_args()


def size_ranges(words: list[str]) -> dict[str, tuple[float, float]]:
    """Return the limits of each size."""
    found = {}
    for word in words:
        name, _, limits = word.partition('=')
        try:
            low, high = map(float, limits.split(','))
        except ValueError as error:
            raise UserError(
                f'--sizes: expected NAME=LOW,HIGH in pixels, got {word!r}'
            ) from error
        if name in found:
            raise UserError(f'--sizes: expected different names, got {name!r} twice')
        found[name] = (low, high)
    return found


def print_tables(tables: dict[str, list[dict]]) -> None:
    """Print what most want to know."""
    from mmdetxfer.evaluation.comparison_tables import difference_table, is_of_one_seed

    printed = ('mIoU', 'boundary mIoU', 'pixel accuracy', 'class accuracy')
    rows = [row for row in tables['differences'] if row['score'] in printed]
    console = Console(width=120)
    console.print(difference_table(rows, ('candidate', 'score')))
    for row in tables['error_reductions']:
        unknown = ' (images alone, training noise unknown)' * is_of_one_seed(row)
        what = 'relative error reduction'
        if row['score'].endswith('outside') and 'inside' in row['score']:
            what = 'of what is left outside, less is left inside by'
        print(
            f'{row["candidate"]}: {row["score"]}: {what} '
            f'{row["reduction"]:+.1%} ({row["low"]:+.1%} to {row["high"]:+.1%})'
            + unknown
        )
    for row in tables['best']:
        names = ', '.join(row['candidates'])
        print(f'{row["score"]}: best, or not to be told from it: {names}')
        if row['not_compared']:
            print(f'  not compared, of one seed: {", ".join(row["not_compared"])}')


def compare(args: argparse.Namespace) -> None:
    """Read, compare, write, print and draw."""
    from mmdetxfer.evaluation.comparison_tables import named_files, write_tables
    from mmdetxfer.evaluation.segmentor_comparison import (
        check_before,
        compared,
        counted,
        draw_case_pictures,
        read_test_set,
    )
    from mmdetxfer.plots import draw_band_curves
    from mmdetxfer.scoring.segmentation_counts import BandSettings

    folders = named_files(args.candidates)
    baseline = args.baseline or next(iter(folders))
    if baseline not in folders:
        raise UserError(
            f'--baseline: expected one of {", ".join(folders)}, got {baseline!r}'
        )
    test_set = read_test_set(args.config, args.cfg_options)
    try:
        settings = BandSettings(
            len(test_set.classes),
            args.widths,
            args.of_diagonal,
            args.kind,
            args.metric,
            args.ignore_index,
            size_ranges(args.sizes),
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    fifth = args.widths[min(4, len(args.widths) - 1)]
    width = fifth if args.named_width is None else args.named_width
    check_before(test_set, settings, width, args.resamples)
    every = [folder for own in folders.values() for folder in own]
    columns = ('counting', BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task('', total=None)
        counts = counted(
            test_set,
            every,
            settings,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    left = iter(counts)
    candidates = {name: [next(left) for _ in own] for name, own in folders.items()}
    tables = compared(test_set, candidates, baseline, settings, width, args.resamples)
    write_tables(args.out, tables)
    print_tables(tables)
    draw_band_curves(tables['scores'], args.widths, args.out / 'bands')
    draw_case_pictures(
        test_set, folders, candidates, baseline, args.ignore_index, args.out
    )
    print(f'tables, records and pictures are in {args.out}')


@one_line_errors
def main() -> None:
    """Compare as the arguments say."""
    compare(parse_args())


if __name__ == '__main__':
    main()
