"""What would training on chips do to my data? A table, before any training.

    python tools/analysis_tools/chip_report.py CONFIG

CONFIG trains on a ``ChipDataset``. Shown are the chips of an image at each scale, the
pixels that are trained against whole images, the boxes by size that are valid in no
chip, and scales and ranges suggested by the sizes of the data's own boxes.
"""

import argparse
import json
from dataclasses import asdict

from mmengine.config import Config, DictAction
from rich.console import Console
from rich.table import Table

from mmdetxfer.chips import TRUTH, ChipPlan, plan_epoch
from mmdetxfer.chips.report import ChipReport, chip_report, suggested_plan
from mmdetxfer.datasets.chip_dataset import training_chips
from mmdetxfer.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config that trains on a ChipDataset')
    parser.add_argument('--out', help='also write the report, as JSON')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE'
    )
    return parser.parse_args()


def print_report(report: ChipReport, batch_size: int, plan: ChipPlan | None) -> None:
    """Print the tables."""
    console = Console()
    table = Table('chips', '')
    scales = ' + '.join(f'{count:.2f}' for count in report.chips_per_image)
    table.add_row('an image, finest scale to coarsest', scales)
    table.add_row('an epoch', f'{report.num_chips:,}')
    batches = -(-report.num_chips // batch_size)
    table.add_row(f'batches of {batch_size} an epoch', f'{batches:,}')
    table.add_row('megapixels an image', f'{report.megapixels_chips:.2f}')
    for name, whole in (
        ('all scales, whole', report.megapixels_pyramid),
        ('one of 800 x 1333', report.megapixels_reference),
    ):
        share = report.megapixels_chips / whole
        table.add_row(f'... against {name}', f'{whole:.2f} ({share:.0%})')
    console.print(table)
    table = Table('size of boxes, px', 'boxes', 'valid in no chip')
    for one in report.sizes:
        if one.num_boxes:
            share = (
                f'{one.num_never_valid:,} ({one.num_never_valid / one.num_boxes:.0%})'
            )
            end = 'any' if one.high_px is None else one.high_px
            table.add_row(f'{one.low_px} to {end}', f'{one.num_boxes:,}', share)
    console.print(table)
    if plan is None:
        console.print('no boxes to suggest scales for')
        return
    ranges = ', '.join(f'({low:g}, {high:g})' for low, high in plan.valid_ranges)
    console.print(
        f'suggested for these sizes: plan=dict(chip_px={plan.chip_px}, '
        f'scales={list(plan.scales)}, valid_ranges=[{ranges}])',
        soft_wrap=True,
    )


@one_line_errors
def main() -> None:
    """Read the boxes, plan an epoch, print."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    dataset = training_chips(cfg)
    table, plan = dataset.box_table(), dataset.plan
    chips = plan_epoch(table, plan, 0, 0, num_threads=2)
    report = chip_report(table, plan, chips)
    has_boxes = (table.kinds == TRUTH).any()
    suggestion = suggested_plan(table, plan.chip_px) if has_boxes else None
    print_report(report, cfg.train_dataloader.batch_size, suggestion)
    if args.out:
        with open(args.out, 'w') as stream:
            json.dump(asdict(report), stream, indent=1)


if __name__ == '__main__':
    main()
