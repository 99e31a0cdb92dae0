"""What do pre-trainings keep for classification, layer by layer? Probes of several.

    python tools/probe.py configs/transfer_cls/probes_r18_world.py

keeps the features of every candidate and layer that CONFIG names, fits linear probes,
and fills Tables 5, 6 and 8 of Li et al. 2019 and the Caltech-256 column of its Table 7
(of fine-tuned candidates: predictions that CONFIG names). Into --work-dir go
``records.jsonl``; tables as CSV and Markdown; ``tables.md`` in the paper's layout;
figures (PNG, SVG). It can be killed and goes on where it was.
"""

import argparse
from pathlib import Path

from rich.console import Console

from mmdetxfer.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'config', help='what is probed, such as configs/transfer_cls/probes_*.py'
    )
    parser.add_argument(
        '--work-dir', type=Path, help='work_dirs and the name of CONFIG by default'
    )
    parser.add_argument('--resamples', type=int, default=1000, help='of the images')
    parser.add_argument(
        '--device', help='where probes are fitted; a GPU if there is one'
    )
    parser.add_argument('--trust-checkpoint', action='store_true')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of CONFIG'
    )
    return parser.parse_args()


def probe(args: argparse.Namespace) -> None:
    """Probe, compare, write, print and draw."""
    import torch

    from mmdetxfer.evaluation.comparison_tables import (
        difference_table,
        read_config,
        write_tables,
    )
    from mmdetxfer.evaluation.probe_layouts import layouts
    from mmdetxfer.evaluation.probe_tables import probed_tables
    from mmdetxfer.plots import draw_groups, draw_layers
    from mmdetxfer.probe_plan import read_plan

    work_dir = args.work_dir or Path('work_dirs') / Path(args.config).stem
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    plan = read_plan(read_config(args.config, args.cfg_options), device)
    settings = (args.resamples, args.trust_checkpoint, print)
    tables = probed_tables(plan, work_dir, *settings)
    write_tables(work_dir, tables)
    text = layouts(plan, tables)
    (work_dir / 'tables.md').write_text(text)
    print(text)
    rows = [
        row
        for row in tables['differences']
        if row['score'] == 'top-1' and row['table'] in ('probes', 'fine-tuned')
    ]
    heads = ('table', 'target', 'candidate', 'group')
    Console(width=120).print(difference_table(rows, heads))
    for row in tables['best']:
        if row['score'] == 'top-1' and row['table'] != 'layers':
            names = ', '.join(row['candidates'])
            where = f'{row["target"]}, {row["table"]}'
            print(f'{where}: best, or not to be told from it: {names}')
    draw_layers(tables['scores'], work_dir / 'layers')
    draw_groups(tables['scores'], work_dir / 'objects')
    print(f'tables, records and figures are in {work_dir}')


@one_line_errors
def main() -> None:
    """Probe as the arguments say."""
    probe(parse_args())


if __name__ == '__main__':
    main()
