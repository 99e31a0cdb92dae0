"""Puts the exact loops and the safe checkpoint hook into any host's config."""

import copy
from typing import Any

_LOOPS = {
    'EpochBasedTrainLoop': 'mmdetxfer.ExactEpochTrainLoop',
    'IterBasedTrainLoop': 'mmdetxfer.ExactIterTrainLoop',
}

_HOOKS = {
    'CheckpointHook': 'mmdetxfer.SafeCheckpointHook',
    'LoggerHook': 'mmdetxfer.OneWriterLoggerHook',
}
_GUARDS = ('ClassCheckHook', 'NonfiniteLossHook', 'UnreadableImagesHook')


def use_exact_parts(cfg: Any) -> Any:
    """Return a copy of an mmengine config whose training can be resumed exactly.

    Only mmengine's own loops and checkpoint hook are replaced, with their arguments; a
    loop of another type stays and is named by :func:`unsupported_loop`.
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


def unsupported_loop(cfg: Any) -> str | None:
    """Return the name of a training loop that cannot be resumed exactly, or None."""
    train_cfg = cfg.get('train_cfg')
    if not train_cfg or 'type' not in train_cfg:
        return None
    name = plain_name(train_cfg['type'])
    is_known = name in _LOOPS or name.startswith('Exact')
    return None if is_known else name


def plain_name(registered: Any) -> str:
    """Return a type's name without its scope; the type may be a class."""
    name = registered if isinstance(registered, str) else registered.__name__
    return name.rsplit('.', 1)[-1]
