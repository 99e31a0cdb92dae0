"""Train with a config of mmdetxfer, mmdet, mmseg or mmpretrain.

A killed training goes on exactly where it was with ``--resume``.
"""

import argparse
import os

from mmengine.config import DictAction

from mmdetxfer.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the usual arguments of OpenMMLab's train tools."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='go on from PATH, or (auto, the default of the option) from the newest '
        'good checkpoint in the work_dir; with none there, start from load_from',
    )
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision training (fp16, CUDA)'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the config's base batch size",
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='let checkpoints run code on loading; only for files that you trust',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config, e.g. train_dataloader.batch_size=4',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Train."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    from mmdetxfer.engine.launching import train

    train(args)


if __name__ == '__main__':
    main()
