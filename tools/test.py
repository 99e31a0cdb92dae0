"""Test a checkpoint with a config of mmdetxfer, mmdet, mmseg or mmpretrain."""

import argparse
import os

from mmengine.config import DictAction

from mmdetxfer.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the usual arguments of OpenMMLab's test tools."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or address')
    parser.add_argument('--work-dir', help='folder for the metrics')
    parser.add_argument(
        '--out',
        help='write the predictions: FILE.npz or FILE.parquet (plain: image ids, '
        'classes, weights hash), a folder of PNGs with a manifest for segmentation, '
        "or FILE.pkl (the host's own; pickles are never read back)",
    )
    parser.add_argument('--show', action='store_true', help='show predictions')
    parser.add_argument('--show-dir', help='folder for painted predictions')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds of --show')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
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
        help='override settings of the config, e.g. test_dataloader.batch_size=4',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Test."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    from mmdetxfer.engine.launching import test

    test(args)


if __name__ == '__main__':
    main()
