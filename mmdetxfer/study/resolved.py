"""What of a config decides a cell's numbers, as plain data.

Left out are paths, work_dir, workers, logs and how often checkpoints are written: a
cell that was made elsewhere, or with more workers, is the same cell. The data
themselves come in by their fingerprint.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdetxfer.config_files import read_config_file
from mmdetxfer.errors import UserError

_ROOT, _ABSENT = 'root', 'path'
_TOP = (
    'work_dir',
    'load_from',
    'resume',
    'launcher',
    'log_level',
    'log_processor',
    'visualizer',
    'vis_backends',
    'experiment_name',
    'data_root',
)
_LOADER = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
_HOOKS = ('logger', 'visualization', 'timer')
_CHECKPOINT = ('interval', 'by_epoch', 'max_keep_ckpts', 'out_dir')
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_METRICS = ('val_evaluator', 'test_evaluator')


@cache
def _read(path: str) -> Config:
    if not Path(path).is_file():
        raise UserError(f'config not found: expected a file at {path}')
    return read_config_file(path)


def config_with(path: str, options: Mapping[str, Any]) -> Config:
    """Return a config with options: the same one again for the same, so not to change.

    Args:
        path: Of the config.
        options: As ``--cfg-options``.
    """
    key = (path, json.dumps(options, sort_keys=True, default=str))
    if key not in _known:
        _known[key] = _merged(path, options)
    return _known[key]


_known: dict[tuple[str, str], Config] = {}
_forms: dict[int, dict] = {}


def _merged(path: str, options: Mapping[str, Any]) -> Config:
    cfg = copy.deepcopy(_read(path))
    try:
        cfg.merge_from_dict(copy.deepcopy(dict(options)))
    except (KeyError, TypeError, IndexError, AssertionError) as error:
        raise UserError(
            f'{path}: expected options that fit it, got {dict(options)}: {error}'
        ) from error
    return cfg


def normal_form(cfg: Config) -> dict:
    """Return what of a config decides its numbers.

    Args:
        cfg: Of ``config_with``.
    """
    # These live as long as the module does.
    if id(cfg) not in _forms:
        _forms[id(cfg)] = _form(cfg)
    return _forms[id(cfg)]


def _form(cfg: Config) -> dict:
    content = copy.deepcopy(cfg.to_dict())
    # Which loader reads which, whatever they are called.
    names = {str(path): f'{_ROOT} {k}' for k, path in enumerate(data_paths(cfg))}
    roots = dict(sorted(names.items(), key=lambda one: len(one[0]), reverse=True))
    for key in _TOP:
        content.pop(key, None)
    # The seed is the chain's; of the environment only this changes numbers.
    content['randomness'] = {**(content.get('randomness') or {}), 'seed': None}
    env = content.pop('env_cfg', None) or {}
    content['cudnn_benchmark'] = bool(env.get('cudnn_benchmark', False))
    for key in _LOADERS:
        for loader in _listed(content.get(key)):
            for name in _LOADER:
                loader.pop(name, None)
    hooks = content.get('default_hooks') or {}
    for name in _HOOKS:
        hooks.pop(name, None)
    checkpoint = hooks.get('checkpoint') or {}
    # Without the last one, how often decides which weights are tested.
    if checkpoint.get('save_last', True):
        for name in _CHECKPOINT:
            checkpoint.pop(name, None)
    return _without_paths(content, roots)


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value] if value else []


def _without_paths(node: Any, roots: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _without_paths(value, roots) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_without_paths(value, roots) for value in node]
    if isinstance(node, str):
        for root, name in roots.items():
            if node.startswith(root):
                return name + node[len(root) :].rstrip('/')
        return _ABSENT if node.startswith('/') else node
    if isinstance(node, type) or callable(node):
        return f'{node.__module__}.{node.__qualname__}'
    return node


def datasets_in(node: Any) -> Iterator[Mapping]:
    """Yield every dict of a loader's data set, wrappers included."""
    if isinstance(node, Mapping):
        if 'type' in node:
            yield node
        for key in ('dataset', 'datasets'):
            for one in _listed(node.get(key)):
                yield from datasets_in(one)


def data_paths(cfg: Config) -> list[Path]:
    """Return what a config's loaders and metrics read, each once: folders and files.

    ``data_root`` counts for all below it; without one, ``data_prefix`` and
    ``ann_file`` do. What lies elsewhere counts too, of other settings files that are
    there.

    Args:
        cfg: The config.
    """
    datasets = [
        one
        for key in _LOADERS
        for loader in _listed(cfg.get(key))
        for one in datasets_in(loader.get('dataset'))
    ]
    found = {Path(one['data_root']): None for one in datasets if one.get('data_root')}
    others = [path for one in datasets for path in _named_by(one)]
    for key in (*_LOADERS, *_METRICS):
        others += (Path(one) for one in _words_in(cfg.get(key)) if _is_file(one))
    for path in others:
        if not any(path.is_relative_to(known) for known in found):
            found[path] = None
    return list(found)


def _named_by(dataset: Mapping) -> list[Path]:
    """Return the annotations and folders of images of a data set, below its root."""
    prefix = dataset.get('data_prefix') or ()
    words = prefix.values() if isinstance(prefix, Mapping) else [prefix]
    words = [one for one in (*words, dataset.get('ann_file')) if one]
    root = dataset.get('data_root') or ''
    return [
        Path(root, one) for one in words if isinstance(one, str) and '://' not in one
    ]


def _words_in(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, (Mapping, list, tuple)):
        if isinstance(node, Mapping):
            # What is written is no data.
            node = [one for key, one in node.items() if not str(key).startswith('out')]
        for one in node:
            yield from _words_in(one)


def _is_file(word: str) -> bool:
    return '/' in word and Path(word).is_file()


def share_of_images(cfg: Config, share: float, seed: int = 0) -> dict[str, Any]:
    """Return options by which a training sees a share of its images.

    Args:
        cfg: The config of the training.
        share: Of the images.
        seed: Of the draw: the same images for every candidate.
    """
    if share == 1:
        return {}

    def within(one: Mapping) -> Any:
        inner = one.get('dataset')
        # The part of a whole set that is looked for is counted before.
        is_whole = str(one['type']).endswith('WholeDataset')
        if isinstance(inner, Mapping) and not is_whole:
            return {**one, 'dataset': within(inner)}
        if 'datasets' in one:
            return {**one, 'datasets': [within(each) for each in one['datasets']]}
        # Boxes of a classifier's and a detector's images are drawn alike.
        has_boxes = scope == 'mmdet' or str(one['type']).endswith('ImageNetLocDataset')
        name = 'SubsetDataset' if has_boxes else 'ShareDataset'
        return dict(type=f'mmdetxfer.{name}', dataset=one, fraction=share, seed=seed)

    scope = cfg.get('default_scope')
    dataset = within(cfg.to_dict()['train_dataloader']['dataset'])
    return {'train_dataloader.dataset': {**dataset, '_delete_': True}}


def half_batch(cfg: Config) -> dict[str, Any]:
    """Return options of half the batch and twice the accumulation: the same updates.

    An odd one is divided by its smallest divisor instead. Where a training
    counts iterations, all counts grow with them. Batch norm sees fewer images at a
    time, so that the numbers are not quite the same.

    Args:
        cfg: The config of the training.
    """
    batch = cfg.train_dataloader.batch_size
    if batch < 2:
        raise UserError(
            'out of memory with one image at a time: nothing is left to halve; make '
            'the images or the network smaller'
        )
    times = next(number for number in range(2, batch + 1) if batch % number == 0)
    steps = cfg.optim_wrapper.get('accumulative_counts', 1)
    options: dict[str, Any] = {
        'train_dataloader.batch_size': batch // times,
        'optim_wrapper.accumulative_counts': times * steps,
    }
    schedules = cfg.get('param_scheduler')
    for place, schedule in enumerate(_listed(schedules)):
        where = 'param_scheduler'
        where += f'.{place}' if isinstance(schedules, list) else ''
        if not schedule.get('by_epoch', True):
            for key in ('begin', 'end', 'T_max', 'milestones', 'step_size'):
                if schedule.get(key) is not None:
                    options[f'{where}.{key}'] = _times(schedule[key], times)
    if cfg.train_cfg.get('max_iters'):
        for key in ('max_iters', 'val_interval', 'val_begin'):
            if cfg.train_cfg.get(key) is not None:
                options[f'train_cfg.{key}'] = times * cfg.train_cfg[key]
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if not checkpoint.get('by_epoch', True) and checkpoint.get('interval', -1) > 0:
        options['default_hooks.checkpoint.interval'] = times * checkpoint.interval
    return options


def _times(value: Any, times: int) -> Any:
    if isinstance(value, (list, tuple)):
        return [times * one for one in value]
    return times * value
