"""Keep layers of a frozen network for labelled images.

    python tools/extract_features.py CONFIG CHECKPOINT --data DATA --out DIR

runs the network of CONFIG (any of mmdet, mmseg, mmpretrain) once over a part of the
images of DATA, a classification config, with the pipeline of DATA's test and the input
convention of the weights. It can be killed: what is made is kept. Several GPUs:
torchrun ... tools/extract_features.py ... --launcher pytorch.
"""

import argparse
import os
from pathlib import Path

from mmengine.config import DictAction

from mmdetxfer.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of the network')
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights; without any, drawn with --seed'
    )
    parser.add_argument('--data', required=True, help='classification config')
    parser.add_argument('--part', choices=['train', 'val', 'test'], default='train')
    parser.add_argument('--out', type=Path, required=True, help='folder for features')
    parser.add_argument(
        '--layers',
        nargs='+',
        default=['Conv5'],
        help='such as Conv5 ConvProj FC1, or with poolings of their own, Conv5:1,whole',
    )
    parser.add_argument(
        '--pooling',
        nargs='+',
        default=['1'],
        choices=['1', '2', '4', '7', '8', '14', 'whole'],
        help='fields each way that maps are averaged to; whole keeps every place',
    )
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--images-per-shard', type=int, default=1024)
    parser.add_argument('--num-workers', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0)
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
    from mmdetxfer.engine.launching import features

    features(args)


if __name__ == '__main__':
    main()
