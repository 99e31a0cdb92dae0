"""Which pre-training detects better, and where? Saved predictions of several, compared.

    python tools/analysis_tools/compare_detectors.py cls=a0.npz,a1.npz det=b0.npz,b1.npz
        --config CONFIG --out work_dirs/comparison

A candidate is a name and the predictions of its seeds: what ``tools/test.py --out``
wrote, COCO's result JSON or a folder of VOC's comp4 text files; the first is the
baseline. CONFIG's test set is the truth. Into --out go ``records.jsonl``; tables as CSV
and Markdown: mAP at 18 thresholds, for super-categories and sizes, what is missed by
occlusion, errors by type and which of them went away; figures (PNG, SVG), and pictures
of the images in which candidates differ most.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from mmdetxfer.errors import UserError, one_line_errors

# The tables in --out have all scores.
PRINTED = ('AP50', 'AP70', 'AP90', 'AP70 - AP50', 'ln AP70 - ln AP50', 'missed')


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('candidates', nargs='+', metavar='NAME=FILE[,FILE...]')
    parser.add_argument('--config', required=True, help='whose test set is the truth')
    parser.add_argument('--out', type=Path, required=True, help='folder for the tables')
    parser.add_argument('--baseline', help='a name; the first candidate by default')
    parser.add_argument(
        '--occlusion', help='folder of gt_ved_<class>.txt (VOC2007 test)'
    )
    parser.add_argument('--resamples', type=int, default=1000, help='of the images')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of CONFIG'
    )
    return parser.parse_args()


def print_tables(tables: dict[str, list[dict]]) -> None:
    """Print what most want to know."""
    from mmdetxfer.evaluation.comparison_tables import difference_table

    rows = [row for row in tables['differences'] if row['score'] in PRINTED]
    table = difference_table(rows, ('candidate', 'group', 'score'))
    Console(width=120).print(table)
    for row in tables['best']:
        if row['group'] == 'all' and row['score'] in ('AP50', 'AP70'):
            names = ', '.join(row['candidates'])
            print(f'{row["score"]}: best, or not to be told from it: {names}')
            if row['not_compared']:
                print(f'  not compared, of one seed: {", ".join(row["not_compared"])}')
    if any(row.get('counts') is False for row in rows):
        print(
            'AP70 - AP50: the AP50 of the baseline is not above 0.5, where gains in '
            'absolute terms shrink with the score; the logarithms count'
        )
    for row in tables['missed']:
        print(
            f'{row["candidate"]} (seed {row["seed"]}) misses {row["mean"]:.1%} of the '
            f'objects, occlusion {row["occlusion"]} (mean of classes)'
        )
    for row in tables['transitions']:
        if row['state_in_baseline'] != row['state']:
            if 'found' in (row['state_in_baseline'], row['state']):
                print(
                    f'{row["objects"]:.1f} objects: {row["state_in_baseline"]} by '
                    f'{row["baseline"]}, {row["state"]} by {row["candidate"]}'
                )


def compare(args: argparse.Namespace) -> None:
    """Read, compare, write, print and draw."""
    from mmdetxfer.evaluation.case_pictures import draw_case_pictures
    from mmdetxfer.evaluation.comparison_tables import named_files, write_tables
    from mmdetxfer.evaluation.detector_comparison import compared, read_test_set
    from mmdetxfer.plots import draw_error_differences, draw_iou_curves
    from mmdetxfer.scoring.missed import is_occluded

    files = named_files(args.candidates)
    baseline = args.baseline or next(iter(files))
    if baseline not in files:
        raise UserError(
            f'--baseline: expected one of {", ".join(files)}, got {baseline!r}'
        )
    test_set = read_test_set(args.config, args.cfg_options)
    found = {
        name: [test_set.found(path) for path in paths] for name, paths in files.items()
    }
    occlusion, occluded = None, None
    if args.occlusion is not None:
        occlusion = test_set.occlusion(args.occlusion)
        occluded = is_occluded(occlusion.occlusion, occlusion.is_truncated, 1)
    columns = ('{task.description}', TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task('reading', total=None)
        settings = (test_set, found, baseline, occlusion, args.resamples)
        tables, errors = compared(
            *settings, lambda text: bar.update(task, description=text)
        )
    write_tables(args.out, tables)
    print_tables(tables)
    draw_iou_curves(tables['scores'], args.out / 'map_over_iou')
    draw_error_differences(tables['error_differences'], args.out / 'errors')
    draw_case_pictures(test_set, found, errors, baseline, occluded, args.out)
    print(f'tables, records and pictures are in {args.out}')


@one_line_errors
def main() -> None:
    """Compare as the arguments say."""
    compare(parse_args())


if __name__ == '__main__':
    main()
