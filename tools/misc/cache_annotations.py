"""Read the annotations and image sizes that a config needs, before any training.

    python tools/misc/cache_annotations.py CONFIG [--verify]

For data sets that keep columns (``mmdetxfer.ColumnarOpenImagesDataset``). With --verify
the content of the files is compared with what the columns were made from, which size
and time of a file alone do not tell.
"""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction

from mmdetxfer.errors import UserError, one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config with such data sets')
    parser.add_argument('--verify', action='store_true', help='compare contents too')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE'
    )
    return parser.parse_args()


def column_datasets(cfg: Config) -> dict:
    """Build the data sets of a config that keep columns, by loader."""
    from mmengine.registry import DATASETS, init_default_scope

    from mmdetxfer.datasets.class_check import unwrapped_datasets

    init_default_scope(cfg.get('default_scope', 'mmdet'))
    found = {}
    for name in ('train', 'val', 'test'):
        loader = cfg.get(f'{name}_dataloader')
        if loader is not None:
            dataset = DATASETS.build(loader.dataset)
            for leaf in unwrapped_datasets(dataset):
                if hasattr(leaf, 'column_differences'):
                    found.setdefault(name, []).append(leaf)
    return found


@one_line_errors
def main() -> None:
    """Build the data sets, which keeps their columns, and compare if asked to."""
    args = parse_args()
    if not Path(args.config).is_file():
        raise UserError(f'config not found: expected a file at {args.config}')
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    found = column_datasets(cfg)
    if not found:
        raise UserError(
            f'{args.config}: expected data sets that keep columns, such as '
            'mmdetxfer.ColumnarOpenImagesDataset, it has none'
        )
    differing = []
    for name, datasets in found.items():
        for dataset in datasets:
            dataset.full_init()
            print(f'{name}: {len(dataset):,} images of {dataset.ann_file}')
            if args.verify:
                differing.extend(dataset.column_differences())
    for one in differing:
        print(one)
    if differing:
        raise UserError(
            f'{len(differing)} files are not as they were when the columns were made, '
            'see above; remove the folders that hold their columns'
        )


if __name__ == '__main__':
    main()
