"""Which pre-training should I start from, and why? One file in, one report out.

    python tools/study.py plan CONFIG            cells, done and missing; needs no data
    python tools/study.py run CONFIG             runs what is missing, writes the report
    python tools/study.py status CONFIG          what is done, what runs, what failed
    python tools/study.py report CONFIG          the report of what is there
    python tools/study.py rerun CONFIG CELL      forgets a cell, and what needs it
    python tools/study.py clean CONFIG [--yes]   removes the study's cells
    python tools/study.py export CONFIG WINNER   config and command to go on with

CONFIG is a file as in configs/studies; my_data.py there is the one to begin with. A run
can be killed at any time and goes on where it was.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction

from mmdetxfer.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    for name in ('plan', 'run', 'status', 'report', 'rerun', 'clean', 'export'):
        own = commands.add_parser(name)
        own.add_argument('config', help='as in configs/studies')
        _add_common(own)
        if name == 'plan':
            own.add_argument(
                '--measure', action='store_true', help='20 iterations of each kind'
            )
            own.add_argument('--graph', type=Path, help='draw the cells: FILE.svg')
        if name == 'run':
            own.add_argument(
                '--executor',
                default='local',
                choices=['local', 'slurm'],
                help='where cells run: on this machine, or each as a job of Slurm',
            )
            own.add_argument('--jobs', type=int, help='cells at a time')
            own.add_argument(
                '--trust-checkpoint',
                action='store_true',
                help='let pickled code in checkpoints run',
            )
            own.add_argument(
                '--snakemake',
                default='',
                metavar="'ARGUMENTS'",
                help='more of Snakemake, such as --default-resources slurm_partition=P '
                '--set-resources cell:mem_mb=64000',
            )
            own.add_argument('--no-report', action='store_true', help='cells alone')
        if name == 'rerun':
            own.add_argument('cell', help='the beginning of its key')
        if name == 'clean':
            own.add_argument('--yes', action='store_true', help='without asking')
        if name == 'export':
            own.add_argument('winner', help='name of a candidate')
            own.add_argument('--target', help='a target; the first by default')
    return parser.parse_args()


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--work-dirs',
        type=Path,
        default=Path('work_dirs'),
        help='folder of cells, studies and measures',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm'],
        help='how one training is spread over GPUs; none by default; other commands '
        'than run take it as the study ran last',
    )
    parser.add_argument(
        '--gpus', type=int, help='of one cell; 0 is the CPU; by default likewise'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings of the study, such as seeds=0,1',
    )


@one_line_errors
def main() -> None:
    """Do what the arguments say."""
    args = parse_args()
    from mmdetxfer.study import commands

    raise SystemExit(getattr(commands, args.command)(args))


if __name__ == '__main__':
    main()
