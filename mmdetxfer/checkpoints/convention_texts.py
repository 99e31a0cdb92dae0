"""Reads an input convention out of a config's text without executing it.

The hosts store the text of the config in every checkpoint (``meta['cfg']``, in older
versions ``meta['config']``). It is parsed, never run: assignments to names, of literals
and ``dict`` calls, are understood, which is how mmengine writes a config. The answer is
None, not known, where a text has other statements, computes a value that matters, or
normalises by a ``Normalize`` step beside the preprocessor.
"""

import ast
import warnings
from typing import Any

from mmdetxfer.checkpoints.conventions import (
    InputConvention,
    convention_of_preprocessor,
)

# The hosts' longest config (odinw35) has 266,243; parsing takes up to 0.6 kB each.
MAX_CHARACTERS = 600_000
_PARTS = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr', 'to_rgb')


def convention_in_config_text(text: Any) -> InputConvention | None:
    """Return the convention that a config's text gives its model, None if not known.

    Args:
        text: The text, as the checkpoint holds it; anything but a str is not known.
    """
    if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a '\d' in somebody's text
            return _convention_in(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _convention_in(module: ast.Module) -> InputConvention | None:
    values = {}
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if len(targets) != 1 or not isinstance(targets[0], ast.Name):
            raise ValueError('a statement that is no assignment to a name')
        values[targets[0].id] = node.value
    preprocessor = _entries(values.get('model')).get('data_preprocessor')
    preprocessor = preprocessor or values.get('data_preprocessor')
    if preprocessor is None:
        # Before the hosts' present versions, pipelines normalised, RGB by default.
        entries = _entries(values.get('img_norm_cfg'))
        entries.setdefault('to_rgb', ast.Constant(True))
        return _convention_of(entries) if 'mean' in entries else None
    if any(_is_normalising_step(node) for node in ast.walk(module)):
        return None
    entries = _entries(preprocessor)
    while 'data_preprocessor' in entries:
        entries = _entries(entries['data_preprocessor'])
    return _convention_of(entries) if entries else None


def _convention_of(entries: dict[str, ast.expr]) -> InputConvention | None:
    """Return the convention of a preprocessor; a part that is no literal raises."""
    parts = {key: ast.literal_eval(entries[key]) for key in _PARTS if key in entries}
    return convention_of_preprocessor(parts)


def _is_normalising_step(node: ast.AST) -> bool:
    """Whether this is the ``type='Normalize'`` of a pipeline's step."""
    value = _entries(node).get('type') if isinstance(node, ast.expr) else None
    return isinstance(value, ast.Constant) and is_normalising_type(value.value)


def is_normalising_type(registered: Any) -> bool:
    """Whether a type in a config is a pipeline step that normalises pixels."""
    return isinstance(registered, str) and registered.split('.')[-1] == 'Normalize'


def _entries(node: ast.expr | None) -> dict[str, ast.expr]:
    """Return the values of a ``dict(...)`` call or a ``{...}`` display by their keys.

    Anything else has none; unpacking and computed keys raise: they may be any key.
    """
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict':
        parts = [_entries(argument) for argument in node.args]
        parts.append({keyword.arg: keyword.value for keyword in node.keywords})
        entries = {key: value for part in parts for key, value in part.items()}
    elif isinstance(node, ast.Dict):
        keys = [getattr(key, 'value', None) for key in node.keys]
        entries = dict(zip(keys, node.values, strict=True))
    else:
        return {}
    if None in entries:
        raise ValueError('an entry whose key is not written out')
    return entries
