"""Whether a checkpoint fits a model: counted in elements, not in log lines.

The hosts load with ``strict=False`` and go on whatever was missing. A resumed or tested
model must be filled completely; a training that starts from a checkpoint must find its
backbone there, and one whose parts start from files must find them there, since a
transfer from nothing trains from scratch in silence.

What fits is asked of the modules themselves, since some rename or resize what older
files hold. As in mmengine, the counters of batch norm may be missing; they are not
counted.
"""

import re
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader

from mmdetxfer.errors import CheckpointError

MIN_BACKBONE_SHARE = 0.5


def check_fit(model: Any, checkpoint: dict, filename: str, is_whole: bool) -> str:
    """Raise if the checkpoint does not fit; else return one line on what was filled.

    Args:
        model: The unwrapped model, with the checkpoint loaded into it.
        checkpoint: What was loaded: a dict with 'state_dict', or a bare state dict.
        filename: For the message.
        is_whole: Whether every tensor of the model has to come from the file.
    """
    wanted, unfilled = _wanted(model), unfilled_tensors(model, checkpoint)
    filled = {key: value for key, value in wanted.items() if key not in unfilled}
    part = 'backbone.' if hasattr(model, 'backbone') and not is_whole else ''
    num_wanted = _elements(wanted, part)
    share = _elements(filled, part) / num_wanted if num_wanted else 1.0
    line = (
        f'{filename} filled {len(filled)} of {len(wanted)} tensors '
        f'({100 * share:.1f} % of the elements of the {part.strip(".") or "model"})'
    )
    if is_whole and unfilled:
        raise CheckpointError(
            f'{line}; expected all: {examples(unfilled)}; is it a checkpoint of '
            'another architecture? name the config it was trained with'
        )
    if share < MIN_BACKBONE_SHARE:
        raise CheckpointError(
            f'{line}; expected at least {100 * MIN_BACKBONE_SHARE:.0f} %: '
            f'{examples(unfilled)}; is it a checkpoint of another architecture? '
            'Weights of a part of a model are loaded into a part of a model with its '
            "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')"
        )
    return line


def unfilled_tensors(model: Any, checkpoint: dict) -> dict[str, str]:
    """Return the tensors of a model that a checkpoint does not fill, and why.

    Args:
        model: The unwrapped model, with the checkpoint loaded into it.
        checkpoint: As for ``check_fit``.
    """
    state, metadata = _state_of(checkpoint)
    wanted = _wanted(model)
    return {
        key: _reason(state.get(key), wanted[key])
        for key in _unfilled_keys(model, state, metadata)
        if key in wanted
    }


def blocks_too_many(model: Any, checkpoint: dict) -> list[str]:
    """Return tensors of a backbone's blocks that go on where the model's have ended.

    What a deeper network has beside: its first blocks would fill the model.

    Args:
        model: The unwrapped model.
        checkpoint: As for ``check_fit``.
    """
    own = {key for key in model.state_dict() if key.startswith('backbone.')}
    lists = {part for key in own for part in _numbered_parts(key)}
    found = []
    for key in _state_of(checkpoint)[0]:
        parts = _numbered_parts(key) if key.startswith('backbone.') else []
        # Of a list that both have, a place that the model has not.
        if any(
            (head, number) not in lists and (head, 0) in lists for head, number in parts
        ):
            found.append(key)
    return found


def _numbered_parts(key: str) -> list[tuple[str, int]]:
    """Return each list of modules in a tensor's name, with the place in it."""
    words = key.split('.')
    return [
        ('.'.join(words[:place]), int(word))
        for place, word in enumerate(words)
        if word.isdigit()
    ]


def _state_of(checkpoint: dict) -> tuple[dict, dict]:
    """Return the tensors by name, and the versions of the modules that wrote them."""
    state = checkpoint.get('state_dict', checkpoint)
    metadata = getattr(state, '_metadata', None) or {}
    return {re.sub(r'^module\.', '', k): v for k, v in state.items()}, metadata


def _wanted(model: Any) -> dict[str, torch.Tensor]:
    return {
        key: value
        for key, value in model.state_dict().items()
        if torch.is_tensor(value) and not key.endswith('num_batches_tracked')
    }


def check_initial_weights(model: Any) -> list[str]:
    """Raise if a file that an ``init_cfg`` names did not fit its part of the model.

    Modules that load their files in their own way (with renamed keys, mostly
    transformers) are left out.

    Args:
        model: The unwrapped model, initialised.

    Returns:
        One line for each file, on what was filled.
    """
    lines = []
    for name, module in model.named_modules():
        for entry in _pretrained_entries(module):
            checkpoint = CheckpointLoader.load_checkpoint(entry['checkpoint'], 'cpu')
            prefix = entry.get('prefix')
            if prefix is not None:
                state = checkpoint.get('state_dict', checkpoint)
                prefix = prefix.rstrip('.') + '.'
                own = {k: v for k, v in state.items() if k.startswith(prefix)}
                checkpoint = {k.removeprefix(prefix): v for k, v in own.items()}
            where = f'{entry["checkpoint"]} (init_cfg of {name or "the model"})'
            lines.append(check_fit(module, checkpoint, where, is_whole=False))
    return lines


def _pretrained_entries(module: Any) -> list[dict]:
    """Return the ``Pretrained`` entries that mmengine itself has carried out."""
    if getattr(type(module), 'init_weights', None) is not BaseModule.init_weights:
        return []
    init = module.init_cfg
    entries = init if isinstance(init, (list, tuple)) else [init]
    found = [entry for entry in entries if isinstance(entry, dict)]
    return [entry for entry in found if entry.get('type') == 'Pretrained']


def _unfilled_keys(model: Any, state: dict, metadata: dict) -> list[str]:
    """Return the keys of the model that the state does not fill.

    The modules load once more, each its own part, as ``load_state_dict`` lets them.
    """
    missing: list[str] = []
    problems: list[str] = []

    def load(module: Any, part: dict, prefix: str) -> None:
        version = metadata.get(prefix[:-1], {})
        module._load_from_state_dict(part, prefix, version, True, missing, [], problems)
        for name, child in module._modules.items():
            if child is not None:
                inner = f'{prefix}{name}.'
                own = {k: v for k, v in part.items() if k.startswith(inner)}
                load(child, own, inner)

    load(model, state, '')
    # What a module takes out of the state it makes itself, such as tables of places.
    missing = [key for key in missing if key not in state]
    # torch names the key somewhere in its sentence.
    return missing + [w for text in problems for w in re.findall(r'[\w.]*\w', text)]


def _reason(found: Any, wanted: torch.Tensor) -> str:
    if not torch.is_tensor(found):
        return 'is missing'
    return f'has the shape {tuple(found.shape)}, in the model {tuple(wanted.shape)}'


def _elements(tensors: dict, prefix: str) -> int:
    return sum(t.numel() for key, t in tensors.items() if key.startswith(prefix))


def examples(unfilled: dict[str, str]) -> str:
    """Name the first three tensors that are wrong, and how."""
    wrong = [f'{key} {why}' for key, why in unfilled.items()]
    more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    return ', '.join(wrong[:3]) + more
