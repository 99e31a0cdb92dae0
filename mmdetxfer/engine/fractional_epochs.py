"""Learning-rate steps in fractions of an epoch, such as SNIPER's 5.33.

mmengine multiplies a fractional milestone by the length of an epoch and then waits for
an iteration of that very number, which never comes unless the product is whole; without
the conversion it waits for epoch 5.33. Here such schedules are put into iterations,
rounded.
"""

from math import isfinite, isinf
from typing import Any

from mmdetxfer.engine.exact_config import plain_name
from mmdetxfer.errors import UserError

# Schedules of which every number that means epochs is among the places below. Others
# (a factor for each epoch, a list of periods) would change.
_CONVERTIBLE = ('MultiStep', 'Step', 'Linear', 'Constant', 'CosineAnnealing', 'Poly')
_PLACES = ('milestones', 'begin', 'end', 'T_max', 'step_size')


def in_iterations(scheduler: dict, epoch_length: int) -> dict:
    """Return a scheduler's config in iterations if it names a fraction of an epoch.

    Args:
        scheduler: The config of one scheduler.
        epoch_length: Iterations of an epoch.

    Returns:
        The config itself if all that it names are whole epochs, or iterations already.
    """
    if not scheduler.get('by_epoch', True):
        return scheduler
    named = {key: scheduler[key] for key in _PLACES if key in scheduler}
    if not any(_has_fraction(value) for value in named.values()):
        return scheduler
    kind = plain_name(scheduler['type'])
    if not kind.startswith(_CONVERTIBLE):
        raise UserError(
            f'param_scheduler: {kind} with a fraction of an epoch cannot be put into '
            f'iterations; expected whole epochs, or one of {", ".join(_CONVERTIBLE)}'
        )
    changed = {key: _rounded(value, epoch_length) for key, value in named.items()}
    rest = {k: v for k, v in scheduler.items() if k != 'convert_to_iter_based'}
    return {**rest, **changed, 'by_epoch': False}


def _has_fraction(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_fraction, value))
    return isinstance(value, float) and isfinite(value) and not value.is_integer()


def _rounded(value: Any, epoch_length: int) -> Any:
    if isinstance(value, (list, tuple)):
        return [_rounded(one, epoch_length) for one in value]
    return value if isinf(value) else round(value * epoch_length)
