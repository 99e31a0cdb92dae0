"""The loading receipt: what of a checkpoint went into a model, tensor by tensor.

Nothing is believed: a tensor counts as loaded if, after loading, it equals the file's
bit for bit (in the model's type). Patterns are dotted names of parts
(``roi_head.bbox_head`` is everything below it) or have wildcards (``*.fc_cls``).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from mmdetxfer.errors import CheckpointError

# What a tensor of the model is afterwards ...
LOADED = 'loaded'
REINITIALISED = 're-initialised'
LEFT = 'left as initialised'
OTHER_SHAPE = 'shape differs'
CHANGED = 'not as in the file'
CONVERTED = "converted by the model's own loading"
FROM_INIT = "from the file of the part's init_cfg"
# ... and one of the file that did not go into it.
DROPPED = 'dropped'
NO_PATTERN = 'in no pattern'
NOT_IN_MODEL = 'not in the model'


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a tensor's name is one of, or below one of, the patterns."""
    return any(
        name == pattern
        or name.startswith(f'{pattern}.')
        or fnmatchcase(name, pattern)
        or fnmatchcase(name, f'{pattern}.*')
        for pattern in patterns
    )


def tensor_hash(tensor: Tensor) -> str:
    """Return the SHA-256 of a tensor's type, shape and bytes."""
    flat = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    head = f'{tensor.dtype} {tuple(tensor.shape)} '.encode()
    return hashlib.sha256(head + flat.numpy().tobytes()).hexdigest()


def joint_hash(hashes: Mapping[str, str]) -> str:
    """Return one hash for named hashes, whatever their order."""
    lines = (f'{name} {hashes[name]}\n' for name in sorted(hashes))
    return hashlib.sha256(''.join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Selection:
    """What of a file may go into a model.

    Args:
        kept: Tensors to load, by their name in the model.
        other_shape: Names of kept ones whose shape is not the model's.
        unused: Tensors of the file that are not loaded, and their status.
        elements: How many each of those has.
        without_place: Elements of those that should be and that the model lacks, in
            parts that it has.
    """

    kept: dict[str, Tensor]
    other_shape: tuple[str, ...]
    unused: dict[str, str]
    elements: dict[str, int] = field(default_factory=dict)
    without_place: dict[str, int] = field(default_factory=dict)

    @property
    def placed_share(self) -> float:
        """The share of the elements that should be loaded that the model has."""
        placed = sum(tensor.numel() for tensor in self.kept.values())
        lost = sum(self.without_place.values())
        return placed / (placed + lost) if placed + lost else 0.0


def select(
    file_state: Mapping[str, Tensor],
    model_state: Mapping[str, Tensor],
    keep: Sequence[str],
    reinit: Sequence[str],
    source: str,
) -> Selection:
    """Choose what is loaded: what matches ``keep`` and not ``reinit``.

    Args:
        file_state: The file's tensors, named as in the model.
        model_state: The model's.
        keep: Patterns of parts to load.
        reinit: Patterns of parts that begin anew.
        source: The file, for messages.
    """
    _check_patterns('keep', keep, file_state, model_state, source)
    _check_patterns('reinit', reinit, file_state, model_state, source)
    kept, other_shape, unused, without_place = {}, [], {}, {}
    heads = {_head(name) for name in model_state}
    for name, tensor in file_state.items():
        if matches(name, reinit):
            unused[name] = DROPPED
        elif not matches(name, keep):
            unused[name] = NO_PATTERN
        elif name not in model_state:
            unused[name] = NOT_IN_MODEL
            # A head beside a backbone's stages is no sign of another depth.
            if _head(name) in heads:
                without_place[name] = tensor.numel()
        elif tensor.shape != model_state[name].shape:
            other_shape.append(name)
        else:
            kept[name] = tensor
    if not kept:
        raise CheckpointError(
            f'{source}: nothing of it fits the model: {_shapes(other_shape)}is it a '
            f'checkpoint of another architecture? Its tensors begin with '
            f'{_heads(file_state)}'
        )
    elements = {name: file_state[name].numel() for name in unused}
    return Selection(kept, tuple(other_shape), unused, elements, without_place)


def _check_patterns(
    kind: str, patterns: Sequence[str], file_state, model_state, source: str
) -> None:
    for pattern in patterns:
        for where, state in (('the model', model_state), (source, file_state)):
            if not any(matches(name, [pattern]) for name in state):
                raise CheckpointError(
                    f'{kind}: expected the pattern {pattern!r} to name a part of '
                    f'{where}, whose tensors begin with {_heads(state)}; correct the '
                    'pattern, or give prefix for a file of one part of a model'
                )


def _heads(names: Iterable[str], most: int = 6) -> str:
    """Name the parts that tensors belong to, two levels deep."""
    found = dict.fromkeys(map(_head, names))
    more = ' ...' if len(found) > most else ''
    return ', '.join(list(found)[:most]) + more


def _head(name: str) -> str:
    return '.'.join(name.split('.')[:2])


def _shapes(names: Sequence[str]) -> str:
    if not names:
        return ''
    return f'{len(names)} tensors have another shape, first {names[0]}; '


@dataclass
class Part:
    """The receipt of one part of a model.

    Args:
        tensors: Number of tensors by status.
        elements: Number of elements by status.
        hash_before: Of all its tensors, before initialisation and loading.
        hash_after: Of all its tensors, when training begins.
    """

    tensors: dict[str, int] = field(default_factory=dict)
    elements: dict[str, int] = field(default_factory=dict)
    hash_before: str = ''
    hash_after: str = ''


def unused_parts(selection: Selection) -> dict[str, dict]:
    """Return what of a file was not loaded: by status, and there by part.

    Args:
        selection: What was chosen of it.
    """
    groups: dict[str, dict] = {}
    for name, status in selection.unused.items():
        group = groups.setdefault(status, dict(tensors=0, elements=0, parts={}))
        part = group['parts'].setdefault(_head(name), dict(tensors=0, elements=0))
        for row in (group, part):
            row['tensors'] += 1
            row['elements'] += selection.elements[name]
    return groups


def statuses_after(
    state: Mapping[str, Tensor],
    kept: Mapping[str, Tensor],
    other_shape: Iterable[str],
    reinit: Sequence[str],
) -> dict[str, str]:
    """Return the status of each tensor of the model.

    Args:
        state: The model's tensors when training begins.
        kept: The file's that were to be loaded.
        other_shape: Names of those that could not.
        reinit: Patterns of parts that began anew.
    """
    wrong_shape = set(other_shape)
    found = {}
    for name, tensor in state.items():
        if name in kept:
            wanted = kept[name].to(tensor.dtype)
            is_equal = tensor_hash(tensor) == tensor_hash(wanted)
            found[name] = LOADED if is_equal else CHANGED
        elif name in wrong_shape:
            found[name] = OTHER_SHAPE
        else:
            found[name] = REINITIALISED if matches(name, reinit) else LEFT
    return found


def parts_of(
    state: Mapping[str, Tensor],
    statuses: Mapping[str, str],
    before: Mapping[str, str],
    names: Sequence[str],
) -> dict[str, Part]:
    """Return the receipt of each part.

    Args:
        state: The model's tensors when training begins.
        statuses: The status of each.
        before: The hash of each before initialisation.
        names: Parts to tell apart beside the model's uppermost ones, such as
            ``roi_head.bbox_head``.
    """
    groups: dict[str, list[str]] = {}
    for name in state:
        inner = [part for part in names if name.startswith(f'{part}.')]
        part = max(inner, key=len, default=name.split('.')[0])
        groups.setdefault(part, []).append(name)
    receipt = {}
    for part, members in groups.items():
        row = Part()
        for name in members:
            status, count = statuses[name], state[name].numel()
            row.tensors[status] = row.tensors.get(status, 0) + 1
            row.elements[status] = row.elements.get(status, 0) + count
        row.hash_before = joint_hash({name: before[name] for name in members})
        row.hash_after = joint_hash(
            {name: tensor_hash(state[name]) for name in members}
        )
        receipt[part] = row
    return receipt


def loaded_share(
    state: Mapping[str, Tensor],
    statuses: Mapping[str, str],
    keep: Sequence[str],
    reinit: Sequence[str],
) -> float:
    """Return the share of the kept parts' elements that were loaded.

    The counters of batch norm, which old files lack, are not counted.
    """
    wanted = [
        name
        for name in state
        if matches(name, keep)
        and not matches(name, reinit)
        and not name.endswith('num_batches_tracked')
    ]
    total = sum(state[name].numel() for name in wanted)
    counted = (LOADED, CONVERTED)
    loaded = sum(state[n].numel() for n in wanted if statuses[n] in counted)
    return loaded / total if total else 0.0
