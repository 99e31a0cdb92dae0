"""What parts of a model have loaded by themselves: ``init_cfg`` of Pretrained."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmdetxfer.checkpoints.loading_schemes import local_file
from mmdetxfer.checkpoints.receipt import (
    DROPPED,
    NO_PATTERN,
    Selection,
    select,
    tensor_hash,
)
from mmdetxfer.errors import CheckpointError
from mmdetxfer.text_files import sha256_of_file


def files_of_parts(model: nn.Module) -> Iterator[tuple[str, nn.Module, dict]]:
    """Yield name, module and entry of each part that loads a file by itself."""
    for name, module in model.named_modules():
        init = getattr(module, 'init_cfg', None)
        entries = init if isinstance(init, (list, tuple)) else [init]
        for entry in entries:
            is_one = isinstance(entry, dict)
            if is_one and str(entry.get('type')).endswith('Pretrained'):
                yield name, module, entry


def selection_of_parts(
    model: nn.Module, keep: Sequence[str], reinit: Sequence[str]
) -> tuple[str, Selection]:
    """Return the first file and what of all files should be in the model.

    Args:
        model: The model, initialised.
        keep: Patterns of parts to load.
        reinit: Patterns of parts that begin anew, which ``init_cfg`` cannot do.
    """
    kept, unused, elements, sources = {}, {}, {}, []
    for name, module, entry in files_of_parts(model):
        sources.append(entry['checkpoint'])
        state = _file_state(entry['checkpoint'])
        outer = f'{name}.' if name else ''
        own_way = getattr(type(module), 'init_weights', None)
        if own_way is not BaseModule.init_weights:
            # It renames what it loads: what is equal is told by its content.
            kept.update(_by_content(module, outer, state))
            continue
        inner = (entry.get('prefix') or '').rstrip('.')
        before = f'{inner}.' if inner else ''
        for key, tensor in state.items():
            if key.startswith(before):
                kept[outer + key.removeprefix(before)] = tensor
            else:
                unused[key], elements[key] = NO_PATTERN, tensor.numel()
    if not sources:
        raise CheckpointError(
            'TransferHook: expected load_from, or parts with '
            "init_cfg=dict(type='Pretrained'), the config has neither: nothing "
            'would be transferred'
        )
    state = model.state_dict()
    fitting = select(kept, state, keep, reinit, sources[0])
    loaded = [
        name
        for name, status in fitting.unused.items()
        if status == DROPPED
        and name in state
        and tensor_hash(state[name]) == tensor_hash(kept[name])
    ]
    if loaded:
        raise CheckpointError(
            f'reinit: expected {", ".join(reinit)} to begin anew, but init_cfg has '
            f'loaded {len(loaded)} tensors of it from {sources[0]}, first {loaded[0]}; '
            'load the file by load_from'
        )
    return sources[0], replace(
        fitting,
        unused={**unused, **fitting.unused},
        elements={**elements, **fitting.elements},
    )


def tensors_of_part_files(model: nn.Module) -> dict[str, str]:
    """Return the hash that the parts' files have for tensors of the model, by name."""
    found: dict[str, str] = {}
    for name, module, entry in files_of_parts(model):
        state = _file_state(entry['checkpoint'])
        outer = f'{name}.' if name else ''
        own_way = getattr(type(module), 'init_weights', None)
        if own_way is not BaseModule.init_weights:
            own = _by_content(module, outer, state)
            found.update({key: tensor_hash(value) for key, value in own.items()})
            continue
        inner = (entry.get('prefix') or '').rstrip('.')
        before = f'{inner}.' if inner else ''
        for key, tensor in state.items():
            if key.startswith(before):
                found[outer + key.removeprefix(before)] = tensor_hash(tensor)
    return found


def file_hash(source: str) -> str | None:
    """Return the SHA-256 of a file, also of one that was fetched from an address."""
    path = local_file(source)
    return None if path is None else sha256_of_file(path)


def _file_state(checkpoint: str) -> dict[str, Tensor]:
    content = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
    # Some original files call it model.
    state = content.get('state_dict', content.get('model', content))
    return {
        name.removeprefix('module.'): value
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def _by_content(
    module: nn.Module, outer: str, state: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return the tensors of a module that some tensor of a file equals."""
    found = {tensor_hash(value): value for value in state.values()}
    own = {name: tensor_hash(value) for name, value in module.state_dict().items()}
    return {outer + name: found[one] for name, one in own.items() if one in found}
