"""Whether a checkpoint fits a model: counted in elements, not in log lines.

The hosts load with ``strict=False`` and go on whatever was missing. A resumed or tested
model must be filled completely; a training that starts from a checkpoint must find its
backbone there, since a transfer from nothing trains from scratch in silence.
"""

import re
from typing import Any

from mmdetxfer.errors import CheckpointError

MIN_BACKBONE_SHARE = 0.5


def check_fit(model: Any, checkpoint: dict, filename: str, is_whole: bool) -> str:
    """Raise if the checkpoint does not fit; else return one line on what was filled.

    Args:
        model: The unwrapped model.
        checkpoint: What was loaded into it.
        filename: For the message.
        is_whole: Whether every tensor of the model has to come from the file.
    """
    found = checkpoint.get('state_dict', checkpoint)
    found = {re.sub(r'^module\.', '', key): value for key, value in found.items()}
    wanted = model.state_dict()
    filled = {
        key: tensor
        for key, tensor in wanted.items()
        if key in found and tuple(found[key].shape) == tuple(tensor.shape)
    }
    part = 'backbone.' if hasattr(model, 'backbone') and not is_whole else ''
    share = _elements(filled, part) / max(_elements(wanted, part), 1)
    line = (
        f'{filename} filled {len(filled)} of {len(wanted)} tensors '
        f'({100 * share:.1f} % of the elements of the {part.strip(".") or "model"})'
    )
    if is_whole and len(filled) < len(wanted):
        raise CheckpointError(
            f'{line}; expected all: {_examples(wanted, filled, found)}; is it a '
            'checkpoint of another architecture? name the config it was trained with'
        )
    if share < MIN_BACKBONE_SHARE:
        raise CheckpointError(
            f'{line}; expected at least {100 * MIN_BACKBONE_SHARE:.0f} %: '
            f'{_examples(wanted, filled, found)}; is it a checkpoint of another '
            "architecture, or a bare backbone (then use init_cfg=dict(type='Pretrained'"
            ', checkpoint=..., prefix=...) of the backbone)?'
        )
    return line


def _elements(tensors: dict, prefix: str) -> int:
    return sum(t.numel() for key, t in tensors.items() if key.startswith(prefix))


def _examples(wanted: dict, filled: dict, found: dict) -> str:
    """Name the first three tensors that are wrong, and how."""
    wrong = []
    for key in (key for key in wanted if key not in filled):
        if key in found:
            shapes = f'{tuple(found[key].shape)}, the model {tuple(wanted[key].shape)}'
            wrong.append(f'{key} has the shape {shapes}')
        else:
            wrong.append(f'{key} is missing')
    more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    return ', '.join(wrong[:3]) + more
