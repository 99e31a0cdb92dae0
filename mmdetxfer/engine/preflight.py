"""What cannot work is refused here, before a model is built or data is read."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mmdetxfer.engine.exact_config import plain_name
from mmdetxfer.errors import UserError

# Data sets of mmpretrain that fetch themselves into their data_root.
_DOWNLOADED = ('CIFAR10', 'CIFAR100', 'MNIST', 'FashionMNIST')
_BOTTLENECK_DEPTH = 50
_LOADERS = {'train': ('train', 'val'), 'test': ('test',)}


def check_before_building(cfg: Any, purpose: str) -> None:
    """Raise ``UserError`` for a config that cannot run on this machine.

    Args:
        cfg: The config with all options applied.
        purpose: 'train' or 'test': which data has to be there.
    """
    _check_work_dir(Path(cfg.work_dir))
    for name in _LOADERS[purpose]:
        loader = cfg.get(f'{name}_dataloader')
        if loader is None and (purpose == 'test' or name == 'train'):
            raise UserError(
                f'{cfg.filename} has no {name}_dataloader: it cannot {purpose}'
            )
        for one in loader if isinstance(loader, list) else [loader or {}]:
            _check_data(name, one.get('dataset', {}))
    _check_deformable(cfg.get('model') or {})
    if purpose == 'train' and not cfg.get('load_from') and not cfg.get('resume'):
        _check_frozen(cfg.get('model') or {})
    # A test builds no optimizer, and SyncBN is BN there.
    if purpose == 'train' and not torch.cuda.is_available():
        _check_cpu(cfg)


def _check_work_dir(work_dir: Path) -> None:
    probe = work_dir / f'.write-probe-{os.getpid()}'
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f'work_dir {work_dir} cannot be written ({error.strerror}); name another '
            'with --work-dir'
        ) from error


def _check_data(name: str, dataset: Any) -> None:
    """Name the first data root or annotation file that is not there."""
    for entry in _datasets_in(dataset):
        name_of_type = plain_name(entry.get('type') or '')
        if name_of_type in _DOWNLOADED and entry.get('download', True):
            continue
        root = entry.get('data_root')
        if entry.get('backend_args') or '://' in str(root or ''):
            continue
        if root and not Path(root).is_dir():
            raise UserError(
                f'{name} data: expected a folder at data_root {root}, there is none; '
                f'put or link the data there, or set '
                f'{name}_dataloader.dataset.data_root with --cfg-options'
            )
        file = entry.get('ann_file')
        if isinstance(file, str) and file:
            path = Path(root or '', file)
            if not path.exists():
                raise UserError(
                    f'{name} data: expected the annotation file {path}, there is none; '
                    'check data_root and ann_file'
                )


def _datasets_in(dataset: Any) -> Iterator[dict]:
    """Yield a data set's config and those that it wraps."""
    if isinstance(dataset, dict):
        yield dataset
        yield from _datasets_in(dataset.get('dataset'))
        for inner in dataset.get('datasets') or []:
            yield from _datasets_in(inner)


def _check_deformable(model: dict) -> None:
    backbone = model.get('backbone') or {}
    depth = backbone.get('depth')
    if backbone.get('dcn') and isinstance(depth, int) and depth < _BOTTLENECK_DEPTH:
        raise UserError(
            f'model.backbone: expected bottleneck blocks (depth {_BOTTLENECK_DEPTH} or '
            f'more) for deformable convolutions, got depth {depth}; leave dcn out'
        )


def _check_frozen(model: dict) -> None:
    """Stop where layers would stay as they were drawn at random."""
    backbone = model.get('backbone') or {}
    entries = backbone.get('init_cfg')
    entries = entries if isinstance(entries, (list, tuple)) else [entries]
    has_weights = any('Pretrained' in str((one or {}).get('type')) for one in entries)
    has_weights |= bool(backbone.get('pretrained') or model.get('pretrained'))
    has_weights |= 'Pretrained' in str(model.get('init_cfg'))
    frozen = backbone.get('frozen_stages', -1)
    # In ResNets 0 freezes the stem; others freeze so many stages, and 0 is none.
    least = 0 if 'Res' in plain_name(backbone.get('type') or '') else 1
    if isinstance(frozen, int) and frozen >= least and not has_weights:
        raise UserError(
            f'model.backbone: its frozen_stages={frozen} would keep weights that are '
            "drawn at random; name weights by init_cfg=dict(type='Pretrained', ...) or "
            'load_from, or set frozen_stages=-1'
        )


def _check_cpu(cfg: Any) -> None:
    wrapper = cfg.get('optim_wrapper') or {}
    if plain_name(wrapper.get('type', 'OptimWrapper')) == 'AmpOptimWrapper':
        raise UserError(
            '--amp (AmpOptimWrapper) needs a GPU, this machine has none that torch can '
            'use; leave it out'
        )
    if cfg.get('launcher', 'none') != 'none':
        where = next(_sync_norms_in(cfg.get('model'), 'model'), None)
        if cfg.get('sync_bn'):
            where = 'sync_bn'
        if where is not None:
            raise UserError(
                f'{where} asks for SyncBN, which does not run on CPU ranks; use BN or '
                'GN there, or one process'
            )


def _sync_norms_in(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, dict):
        if plain_name(node.get('type') or '') in ('SyncBN', 'MMSyncBN'):
            yield path
        for key, value in node.items():
            yield from _sync_norms_in(value, f'{path}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _sync_norms_in(value, f'{path}[{index}]')
