"""State that the hosts' parts hold beside their weights, saved for exact resume.

Some modules and hooks count or remember in plain attributes, which mmengine does not
save. The ones of the hosts are listed here; what remembers earlier images in the
workers' processes cannot be saved and is named by ``exact_config.inexact_parts``.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

_ATTRIBUTES = {
    'BatchSyncRandomResize': ('_input_size',),
    'DropBlock': ('iter_cnt',),
    'DynamicRoIHead': (
        'iou_history',
        'beta_history',
        'bbox_assigner.pos_iou_thr',
        'bbox_assigner.neg_iou_thr',
        'bbox_assigner.min_pos_iou',
        'bbox_head.loss_bbox.beta',
    ),
    'EarlyStoppingHook': ('wait_count', 'best_score'),
}


def held_state(runner: Any) -> dict:
    """Return the attributes of all such parts of a Runner, by name."""
    return {
        name: {attribute: attrgetter(attribute)(part) for attribute in attributes}
        for name, part, attributes in _holders(runner)
    }


def set_held_state(runner: Any, state: dict) -> None:
    """Set the attributes that :func:`held_state` returned; others stay as they are."""
    for name, part, attributes in _holders(runner):
        for attribute in attributes:
            if attribute in state.get(name, {}):
                *path, last = attribute.split('.')
                owner = attrgetter('.'.join(path))(part) if path else part
                setattr(owner, last, state[name][attribute])


def _holders(runner: Any) -> Iterator[tuple[str, Any, tuple]]:
    """Yield each part with its name and its attributes."""
    model = getattr(runner.model, 'module', runner.model)
    named = [(f'model.{name}', module) for name, module in model.named_modules()]
    named += [(f'hooks.{type(hook).__name__}', hook) for hook in runner.hooks]
    for name, part in named:
        # A user's subclass holds what its parent holds.
        for kind in type(part).__mro__:
            if kind.__name__ in _ATTRIBUTES:
                yield name, part, _ATTRIBUTES[kind.__name__]
