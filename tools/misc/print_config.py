"""Print the whole config: all that it inherits, with the options applied."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction

from mmdetxfer.errors import UserError, one_line_errors

ENDINGS = ('.py', '.json', '.yml')


def parse_args() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path, help='config file')
    parser.add_argument(
        '--save-path',
        type=Path,
        metavar='FILE',
        help=f'also write it to a file that ends in {", ".join(ENDINGS)}',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config, e.g. train_dataloader.batch_size=4',
    )
    return parser.parse_args()


@one_line_errors
def main() -> None:
    """Print the config, and save it."""
    args = parse_args()
    if not args.config.is_file():
        raise UserError(
            f'config not found: expected a file at {args.config}; check the path'
        )
    if args.save_path and args.save_path.suffix not in ENDINGS:
        raise UserError(
            f'--save-path {args.save_path}: expected a name that ends in '
            f'{", ".join(ENDINGS)}'
        )
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    print(cfg.pretty_text)
    if args.save_path:
        args.save_path.parent.mkdir(parents=True, exist_ok=True)
        cfg.dump(args.save_path)
        print(f'written to {args.save_path}')


if __name__ == '__main__':
    main()
