"""Puts the exact loops and the safe checkpoint hook into any host's config."""

import copy
from collections.abc import Iterator
from typing import Any

_LOOPS = {
    'EpochBasedTrainLoop': 'mmdetxfer.ExactEpochTrainLoop',
    'IterBasedTrainLoop': 'mmdetxfer.ExactIterTrainLoop',
}

_HOOKS = {
    'CheckpointHook': 'mmdetxfer.SafeCheckpointHook',
    'LoggerHook': 'mmdetxfer.OneWriterLoggerHook',
}
_REMEMBERING = {'CachedMosaic', 'CachedMixUp'}
_GUARDS = ('ClassCheckHook', 'NonfiniteLossHook', 'UnreadableImagesHook')


def use_exact_parts(cfg: Any) -> Any:
    """Return a copy of an mmengine config whose training can be resumed exactly.

    Only mmengine's own loops and checkpoint hook are replaced, with their arguments; a
    loop of another type stays and is named by :func:`inexact_parts`.
    """
    cfg = copy.deepcopy(cfg)
    train_cfg = cfg.get('train_cfg')
    if train_cfg:
        if 'type' not in train_cfg:
            by_epoch = train_cfg.pop('by_epoch')
            name = 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop'
            train_cfg['type'] = name
        train_cfg['type'] = _LOOPS.get(plain_name(train_cfg['type']), train_cfg['type'])
    if cfg.get('default_hooks') is None:
        cfg.default_hooks = {}
    cfg.default_hooks.setdefault('checkpoint', dict(type='CheckpointHook', interval=1))
    cfg.default_hooks.setdefault('logger', dict(type='LoggerHook'))
    hooks = [*cfg.default_hooks.values(), *(cfg.get('custom_hooks') or [])]
    for hook in hooks:
        if isinstance(hook, dict):
            hook['type'] = _HOOKS.get(plain_name(hook['type']), hook['type'])
    present = {plain_name(hook['type']) for hook in hooks if isinstance(hook, dict)}
    missing = [dict(type=f'mmdetxfer.{x}') for x in _GUARDS if x not in present]
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), *missing]
    return cfg


def inexact_parts(cfg: Any) -> list[str]:
    """Name what keeps a resumed training from being exact: loops and transforms.

    Transforms that remember earlier images do so in the workers, out of reach.
    """
    train_cfg = cfg.get('train_cfg') or {}
    loop = plain_name(train_cfg['type']) if 'type' in train_cfg else 'Exact'
    inexact = [] if loop in _LOOPS or loop.startswith('Exact') else [loop]
    names = {plain_name(t) for t in _types_in(cfg.get('train_dataloader'))}
    return inexact + sorted(names & _REMEMBERING)


def _types_in(node: Any) -> Iterator[Any]:
    """Yield every type in a nested config."""
    if isinstance(node, dict):
        if node.get('type'):
            yield node['type']
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from _types_in(value)


def plain_name(registered: Any) -> str:
    """Return a type's name without its scope; the type may be a class."""
    name = registered if isinstance(registered, str) else registered.__name__
    return name.rsplit('.', 1)[-1]
