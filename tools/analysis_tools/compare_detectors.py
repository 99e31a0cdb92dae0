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
import csv
import json
from math import isnan
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

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


def named_files(words: list[str]) -> dict[str, list[Path]]:
    """Return the files of each candidate."""
    found = {}
    for word in words:
        name, separator, files = word.partition('=')
        if not (name and separator and files) or name in found:
            raise UserError(
                f'expected different candidates as NAME=FILE[,FILE...], got {word!r}'
            )
        found[name] = [Path(file) for file in files.split(',')]
    return found


def write_tables(out: Path, tables: dict[str, list[dict]]) -> None:
    """Write each table as CSV and Markdown, and all records as JSON lines."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) for rows in tables.values() for row in rows]
    (out / 'records.jsonl').write_text('\n'.join(lines) + '\n')
    for name, rows in tables.items():
        if not rows:
            continue
        keys = [key for key in rows[0] if key != 'kind']
        with open(out / f'{name}.csv', 'w', newline='') as stream:
            writer = csv.DictWriter(stream, keys, extrasaction='ignore')
            writer.writeheader()
            writer.writerows(rows)
        body = [[shown(row[key]) for key in keys] for row in rows]
        text = ['| ' + ' | '.join(row) + ' |' for row in [keys, ['---'] * len(keys)]]
        text += ['| ' + ' | '.join(row) + ' |' for row in body]
        (out / f'{name}.md').write_text('\n'.join(text) + '\n')


def shown(value: object) -> str:
    """Return a value as tables show it."""
    return f'{value:.4f}' if isinstance(value, float) else str(value)


def print_differences(rows: list[dict]) -> None:
    """Print what differs from the baseline."""
    ends = '95 % interval, all candidates of a score at once'
    table = Table('candidate', 'objects', 'score', 'less the baseline', ends)
    for row in rows:
        if row['score'] not in PRINTED:
            continue
        ends = f'{row["low"]:+.3f} to {row["high"]:+.3f}'
        words = (row['candidate'], row['group'], row['score'])
        table.add_row(*words, f'{row["difference"]:+.3f}', ends)
    Console(width=100).print(table)
    if any(isnan(row['variance_of_seeds']) for row in rows):
        print('one seed: intervals are over images alone, training noise unknown')


def print_transition(row: dict) -> None:
    """Print how many objects one of two detectors finds alone."""
    if 'found' in (row['state_in_baseline'], row['state']):
        if row['state_in_baseline'] != row['state']:
            print(
                f'{row["objects"]:.1f} objects: {row["state_in_baseline"]} by '
                f'{row["baseline"]}, {row["state"]} by {row["candidate"]}'
            )


@one_line_errors
def main() -> None:
    """Read, compare, write and print."""
    args = parse_args()
    files = named_files(args.candidates)
    baseline = args.baseline or next(iter(files))
    if baseline not in files:
        raise UserError(
            f'--baseline: expected one of {", ".join(files)}, got {baseline!r}'
        )
    from mmdetxfer.evaluation.case_pictures import draw_case_pictures
    from mmdetxfer.evaluation.detector_comparison import compared, read_test_set
    from mmdetxfer.plots import draw_error_differences, draw_iou_curves
    from mmdetxfer.scoring.missed import is_occluded

    test_set = read_test_set(args.config, args.cfg_options)
    candidates = {
        name: [test_set.found(path) for path in paths] for name, paths in files.items()
    }
    occlusion, occluded = None, None
    if args.occlusion is not None:
        occlusion = test_set.occlusion(args.occlusion)
        occluded = is_occluded(occlusion.occlusion, occlusion.is_truncated, 1)
    columns = ('{task.description}', TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown_progress:
        task = shown_progress.add_task('reading', total=None)
        tables, errors = compared(
            test_set,
            candidates,
            baseline,
            occlusion,
            args.resamples,
            lambda text: shown_progress.update(task, description=text),
        )
    write_tables(args.out, tables)
    draw_iou_curves(tables['scores'], args.out / 'map_over_iou')
    draw_error_differences(tables['error_differences'], args.out / 'errors')
    draw_case_pictures(test_set, candidates, errors, baseline, occluded, args.out)
    print_differences(tables['differences'])
    for row in tables['best']:
        if row['group'] == 'all' and row['score'] in ('AP50', 'AP70'):
            names = ', '.join(row['candidates'])
            print(f'{row["score"]}: best, or not to be told from it: {names}')
    for row in tables['missed']:
        print(
            f'{row["candidate"]} (seed {row["seed"]}) misses {row["mean"]:.1%} of the '
            f'objects, occlusion {row["occlusion"]} (mean of classes)'
        )
    for row in tables['transitions']:
        print_transition(row)
    print(f'tables, records and pictures are in {args.out}')


if __name__ == '__main__':
    main()
