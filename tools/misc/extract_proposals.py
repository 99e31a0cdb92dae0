"""Make the proposals that negative chips are cut for.

    python tools/misc/extract_proposals.py CONFIG CHECKPOINT --out DIR

runs the first stage of CONFIG's detector, at the scales of its test, over the images
that it trains on. Then ``train_dataloader.dataset.proposals=DIR`` and
``num_negatives=2`` in the plan train with negative chips. It can be killed: what is
made is kept. Several GPUs: torchrun ... tools/misc/extract_proposals.py ... --launcher
pytorch.
"""

import argparse
import os
from pathlib import Path

from mmengine.config import DictAction

from mmdetxfer.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config that trains on a ChipDataset')
    parser.add_argument('checkpoint', help='weights of its detector')
    parser.add_argument('--out', type=Path, required=True, help='folder for proposals')
    parser.add_argument('--images-per-shard', type=int, default=500)
    parser.add_argument('--trust-checkpoint', action='store_true')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE'
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Extract what is missing."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    from mmdetxfer.engine.launching import extract

    extract(args)


if __name__ == '__main__':
    main()
