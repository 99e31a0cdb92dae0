"""Checkpoint contents as tensors and plain values, and back.

What we write needs no allow-list to be read: numpy arrays become tensors, numpy scalars
become Python numbers, subclasses of dict, list and tuple become dict, list and tuple,
and mmengine's ``HistoryBuffer`` becomes a marked dict of its columns.
"""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

_BUFFER_MARK = 'mmdetxfer.history_buffer'
_PLAIN = (str, bytes, bool, int, float, complex, type(None), torch.Tensor)


def to_plain(value: Any) -> Any:
    """Return ``value`` as tensors, dicts, lists, tuples, numbers and strings.

    Args:
        value: Anything that a hook or the message hub put into a checkpoint.

    Returns:
        An equal plain value. Objects of an unknown type raise ``TypeError``.
    """
    if type(value) in _PLAIN or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if isinstance(value, tuple):
        return tuple(to_plain(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return sorted((to_plain(item) for item in value), key=repr)
    if hasattr(value, '_log_history') and hasattr(value, '_count_history'):
        return _plain_buffer(value)
    if isinstance(value, PurePath):
        return str(value)
    for kind in (str, bytes, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, (torch.dtype, torch.device)):
        return str(value)
    if hasattr(value, '__iter__') and hasattr(value, '__len__'):
        return [to_plain(item) for item in value]
    raise TypeError(
        'a checkpoint holds tensors and plain values only, but it was given '
        f'{type(value).__module__}.{type(value).__qualname__}; the hook that put it '
        'there should store numbers, strings, lists, dicts or tensors'
    )


def from_plain(value: Any) -> Any:
    """Rebuild the ``HistoryBuffer`` objects that :func:`to_plain` took apart."""
    if isinstance(value, dict):
        if set(value) == {_BUFFER_MARK}:
            return _rebuilt_buffer(value[_BUFFER_MARK])
        rebuilt = type(value)((key, from_plain(item)) for key, item in value.items())
        if hasattr(value, '_metadata'):
            rebuilt._metadata = value._metadata
        return rebuilt
    if isinstance(value, (list, tuple)):
        return type(value)(from_plain(item) for item in value)
    return value


def _plain_mapping(value: Mapping) -> dict:
    pairs = ((to_plain(key), to_plain(item)) for key, item in value.items())
    if not isinstance(value, OrderedDict):
        return dict(pairs)
    plain = OrderedDict(pairs)
    if hasattr(value, '_metadata'):
        # A module's state dict carries its version numbers as an attribute.
        plain._metadata = _plain_mapping(value._metadata)
    return plain


def _plain_array(array: np.ndarray) -> Any:
    if array.dtype.kind in 'biuf' and array.dtype.itemsize <= 8:
        # A copy, since torch refuses read-only and big-endian memory.
        native = array.astype(array.dtype.newbyteorder('='), copy=True)
        return torch.from_numpy(np.ascontiguousarray(native))
    return to_plain(array.tolist())


def _plain_buffer(buffer: Any) -> dict:
    return {
        _BUFFER_MARK: {
            'log': torch.tensor(np.asarray(buffer._log_history, dtype=np.float64)),
            'count': torch.tensor(np.asarray(buffer._count_history, dtype=np.float64)),
            'max_length': int(buffer.max_length),
        }
    }


def _rebuilt_buffer(columns: dict) -> Any:
    from mmengine.logging import HistoryBuffer

    return HistoryBuffer(
        columns['log'].cpu().numpy(),
        columns['count'].cpu().numpy(),
        max_length=columns['max_length'],
    )
