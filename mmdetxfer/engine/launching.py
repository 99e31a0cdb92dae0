"""From command-line arguments and a config to a running Runner, for all three hosts.

The order matters: the place to resume from is found first, since its seed must be known
before the Runner is built; then the input convention of the weights is written into the
config; then what cannot work is refused, before hours of training.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import init_dist, is_distributed
from mmengine.runner.checkpoint import CheckpointLoader

from mmdetxfer.checkpoints.loading_schemes import install_safe_loading
from mmdetxfer.checkpoints.reading import trust_checkpoints
from mmdetxfer.checkpoints.settle_convention import settle_convention
from mmdetxfer.config_files import format_texts_once, read_config_file
from mmdetxfer.engine.cpu_ranks import join_cpu_ranks
from mmdetxfer.engine.exact_config import inexact_parts
from mmdetxfer.engine.exact_runner import ExactRunner
from mmdetxfer.engine.linear_probe_loop import LinearProbeLoop
from mmdetxfer.engine.preflight import check_before_building
from mmdetxfer.engine.resuming import settle_resume
from mmdetxfer.engine.test_time_augmentation import use_test_time_augmentation
from mmdetxfer.errors import UserError


def train(args: Any) -> None:
    """Train as ``tools/train.py`` was told.

    Args:
        args: The parsed arguments of ``tools/train.py``; ``hooks`` beside them are
            made already.
    """
    cfg = _loaded_config(args)
    if args.amp:
        _use_amp(cfg)
    if args.auto_scale_lr:
        _use_auto_scale_lr(cfg)
    _say(settle_resume(cfg, args.resume))
    for part in inexact_parts(cfg):
        _say(f'{part} has a state that cannot be saved: a resumed run is not exact')
    _prepare(cfg, 'train')
    with _missing_files_named():
        runner = ExactRunner.from_cfg(cfg)
        for hook in getattr(args, 'hooks', ()):
            runner.register_hook(hook)
        runner.train()


def test(args: Any) -> None:
    """Test as ``tools/test.py`` was told.

    Args:
        args: The parsed arguments of ``tools/test.py``.
    """
    from mmdetxfer.evaluation.prediction_writer import prediction_writer

    cfg = _loaded_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    writer = None
    if args.out:
        writer = prediction_writer(args.out, cfg, args.checkpoint)
    if args.show or args.show_dir:
        _use_visualization(cfg, args)
    _prepare(cfg, 'test')
    if args.tta:
        use_test_time_augmentation(cfg)
    with _missing_files_named():
        runner = ExactRunner.from_cfg(cfg)
        if writer is not None and isinstance(runner.test_loop, LinearProbeLoop):
            raise UserError(
                '--out: expected a test that predicts, LinearProbeLoop scores features '
                'alone; leave it out, or keep them with tools/extract_features.py'
            )
        if writer is not None:
            # The evaluator told the others about the data set when it was built.
            meta = dict(runner.test_dataloader.dataset.metainfo)
            for metric in runner.test_evaluator.metrics:
                # What labels mean that a metric turns into the data set's own.
                meta['classes'] = getattr(metric, 'synsets', meta.get('classes'))
            writer.dataset_meta = meta
            runner.test_evaluator.metrics.append(writer)
        runner.test()


def extract(args: Any) -> None:
    """Extract proposals as ``tools/misc/extract_proposals.py`` was told.

    Args:
        args: The parsed arguments of that tool.
    """
    from mmdetxfer.datasets.box_columns import Reporter
    from mmdetxfer.engine.proposal_extraction import extract_proposals

    args.work_dir = str(args.out)
    cfg = _loaded_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    _prepare(cfg, 'test')
    report = Reporter('extracting proposals, images', _say)
    with _missing_files_named():
        made = extract_proposals(
            cfg, args.checkpoint, args.out, args.images_per_shard, report
        )
    _say(f'{made} shards made by this process, in {args.out}')


def features(args: Any) -> None:
    """Extract features as ``tools/extract_features.py`` was told.

    Args:
        args: The parsed arguments of that tool.
    """
    from mmdetxfer.datasets.box_columns import Reporter
    from mmdetxfer.extraction import extract_as_told

    args.work_dir = str(args.out)
    cfg = _loaded_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    data = _config_at(args.data)
    # Checks of data look there.
    cfg.test_dataloader = _part_of(data, args.part)
    _prepare(cfg, 'test')
    report = Reporter('extracting features, images', _say)
    with _missing_files_named():
        made = extract_as_told(cfg, data, args, report, _say)
    _say(
        f'{made.num_shards} shards made by this process, in {args.out}: '
        f'{made.num_images} images, {made.num_images / made.seconds:.1f} a second'
    )


def _part_of(data: Config, part: str) -> Any:
    """Return the loader of a part, with the pipeline of the test."""
    loader = data.get(f'{part}_dataloader')
    pipeline = (data.get('test_pipeline'), data.get('test_dataloader'))
    if not isinstance(loader, dict) or None in pipeline:
        raise UserError(
            f'{data.filename}: expected a {part}_dataloader, a test_dataloader and a '
            'test_pipeline'
        )
    innermost = loader.dataset
    while 'dataset' in innermost:
        innermost = innermost.dataset
    innermost.pipeline = pipeline[0]
    return loader


def _loaded_config(args: Any) -> Config:
    """Load the config and apply what the tools have in common."""
    trust_checkpoints(args.trust_checkpoint)
    cfg = _config_at(args.config)
    cfg.launcher = args.launcher
    if cfg.get('default_scope') == 'mmpretrain':
        _use_mmpretrain_loaders(cfg)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif not cfg.get('work_dir'):
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def _config_at(path: str) -> Config:
    if not Path(path).is_file():
        raise UserError(
            f'config not found: expected a file at {path}; check the path '
            '(mim train mmdetxfer NAME looks it up by its name)'
        )
    return read_config_file(path)


def _prepare(cfg: Config, purpose: str) -> None:
    """Check, join the ranks, and settle the input convention."""
    format_texts_once()
    check_before_building(cfg, purpose)
    install_safe_loading()
    if cfg.launcher != 'none' and not is_distributed():
        dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
        if torch.cuda.is_available():
            init_dist(cfg.launcher, **dist_cfg)
        else:
            join_cpu_ranks(cfg.launcher, dist_cfg)
    _say(str(settle_convention(cfg, CheckpointLoader.load_checkpoint)))


@contextmanager
def _missing_files_named() -> Iterator[None]:
    """Turn a file that the config names and that is not there into one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f'{error.filename or error}: expected a file or folder that the config '
            'names, there is none; check data_root, ann_file and load_from'
        ) from error
    except AssertionError as error:
        if not str(error).endswith('is not in the pretrained model'):
            raise
        raise UserError(
            f'init_cfg: expected a prefix that names a part of the file, {error}; '
            'tensors of a checkpoint of a whole model begin with backbone.'
        ) from error


def _say(text: str) -> None:
    if os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0':
        for line in text.splitlines():
            print(f'mmdetxfer: {line}', flush=True)


def _use_amp(cfg: Config) -> None:
    wrapper = cfg.optim_wrapper
    if wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise UserError(
            f'--amp: expected optim_wrapper.type OptimWrapper, it is {wrapper.type}'
        )
    wrapper.type = 'AmpOptimWrapper'
    wrapper.setdefault('loss_scale', 'dynamic')


def _use_auto_scale_lr(cfg: Config) -> None:
    if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
        raise UserError(
            '--auto-scale-lr: the config has no auto_scale_lr.base_batch_size; add '
            'auto_scale_lr = dict(base_batch_size=<the batch its lr is meant for>)'
        )
    cfg.auto_scale_lr.enable = True


def _use_mmpretrain_loaders(cfg: Config) -> None:
    """Set what mmpretrain's own tools set: its data sets return stacked samples."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if loader is not None:
            loader.setdefault('pin_memory', torch.cuda.is_available())
            loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)
            loader.setdefault('collate_fn', dict(type='default_collate'))


def _use_visualization(cfg: Config, args: Any) -> None:
    hook = (cfg.get('default_hooks') or {}).get('visualization')
    if hook is None:
        raise UserError(
            '--show, --show-dir: the config has no default_hooks.visualization; '
            "inherit the host's default_runtime.py"
        )
    key = 'enable' if cfg.get('default_scope') == 'mmpretrain' else 'draw'
    hook[key] = True
    hook['show'], hook['wait_time'] = args.show, args.wait_time
    if args.show_dir:
        folder = 'out_dir' if cfg.get('default_scope') == 'mmpretrain' else None
        if folder:
            hook[folder] = args.show_dir
        elif cfg.get('default_scope') == 'mmseg':
            cfg.visualizer['save_dir'] = args.show_dir
        else:
            hook['test_out_dir'] = args.show_dir
