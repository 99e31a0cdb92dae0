"""Checkpoint contents as tensors and plain values, and back.

What we write needs no allow-list to be read. Numpy scalars become Python numbers;
subclasses of dict, list and tuple become dict, list and tuple; paths, dtypes and
devices become strings. Numpy arrays and mmengine's ``HistoryBuffer`` become marked
dicts, from which :func:`from_plain` rebuilds them: an array comes back equal and of the
same dtype (in native byte order; long doubles as doubles), a buffer with the same
statistics.
"""

import re
from collections import Counter, OrderedDict
from collections.abc import Mapping, MappingView, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

_BUFFER_MARK = 'mmdetxfer.history_buffer'
_ARRAY_MARK = 'mmdetxfer.ndarray'
_PLAIN = (str, bytes, bool, int, float, complex, type(None))
# The base value of an instance of a subclass; str(), int() would ask the subclass.
_BASE_VALUES = {
    str: str.__str__,
    bytes: bytes,
    bytearray: bytes,
    int: int.__int__,
    float: float.__float__,
}


def to_plain(value: Any) -> Any:
    """Return ``value`` as tensors on the CPU, containers, numbers and strings.

    Args:
        value: Anything that a hook or the message hub put into a checkpoint.

    Returns:
        An equal plain value. Objects of an unknown type raise ``TypeError``.
    """
    if type(value) in _PLAIN:
        # torch's reader knows no empty bytes; from_plain makes bytes of a bytearray.
        return bytearray() if value == b'' else value
    if isinstance(value, torch.Tensor):
        # Other subclasses would need their class on the reader's allow-list.
        is_known = type(value) in (torch.Tensor, torch.nn.Parameter)
        known = value if is_known else value.as_subclass(torch.Tensor)
        return known if known.device.type == 'cpu' else known.detach().cpu()
    if isinstance(value, np.generic):
        return _plain_scalar(value)
    if isinstance(value, np.ndarray):
        return {_ARRAY_MARK: _plain_array(value)}
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if hasattr(value, '_log_history') and hasattr(value, '_count_history'):
        return _plain_buffer(value)
    return _plain_sequence_or_name(value)


def _plain_sequence_or_name(value: Any) -> Any:
    """Return the plain value of what is no number, tensor, array or mapping."""
    if isinstance(value, tuple):
        return tuple(to_plain(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return {to_plain(item) for item in value}
    if isinstance(value, (PurePath, torch.dtype, torch.device)):
        return str(value)
    for kind, base_value in _BASE_VALUES.items():
        if isinstance(value, kind):
            return to_plain(base_value(value))
    if isinstance(value, (Sequence, MappingView)):
        return [to_plain(item) for item in value]
    raise TypeError(
        'a checkpoint holds tensors and plain values only, but it was given '
        f'{type(value).__module__}.{type(value).__qualname__}; the hook that put it '
        'there should store numbers, strings, lists, dicts or tensors'
    )


def from_plain(value: Any) -> Any:
    """Rebuild the arrays and ``HistoryBuffer`` objects that were taken apart.

    Raises:
        ValueError: A marked dict does not hold what :func:`to_plain` writes.
    """
    if type(value) in (dict, OrderedDict, Counter):
        if value.keys() == {_BUFFER_MARK}:
            return _rebuilt_buffer(value[_BUFFER_MARK])
        if value.keys() == {_ARRAY_MARK}:
            return _rebuilt_array(value[_ARRAY_MARK])
        # Not from pairs: a Counter would count them.
        rebuilt = type(value)({key: from_plain(item) for key, item in value.items()})
        if hasattr(value, '_metadata'):
            rebuilt._metadata = value._metadata
        return rebuilt
    if type(value) in (list, tuple):
        return type(value)(from_plain(item) for item in value)
    return bytes(value) if type(value) is bytearray else value


def history_buffer(log: np.ndarray, count: np.ndarray, max_length: int) -> Any:
    """Return an mmengine ``HistoryBuffer`` with these columns."""
    from mmengine.logging import HistoryBuffer

    is_numeric = log.dtype.kind in 'biuf' and count.dtype.kind in 'biuf'
    if not is_numeric or log.ndim != 1 or log.shape != count.shape:
        raise ValueError('a HistoryBuffer should hold two columns of numbers')
    return HistoryBuffer(log, count, max_length=max_length)


def _plain_mapping(value: Mapping) -> dict:
    plain = {to_plain(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Counter):
        return Counter(plain)
    if not isinstance(value, OrderedDict):
        return plain
    plain = OrderedDict(plain)
    if hasattr(value, '_metadata'):
        # A module's state dict carries its version numbers as an attribute.
        plain._metadata = _plain_mapping(value._metadata)
    return plain


def _plain_scalar(scalar: np.generic) -> Any:
    if isinstance(scalar, (np.longdouble, np.clongdouble)):
        # Their item() is again a numpy scalar.
        return complex(scalar) if isinstance(scalar, np.clongdouble) else float(scalar)
    return to_plain(scalar.item())


def _plain_array(array: np.ndarray) -> Any:
    """Return a tensor, or for strings and objects their items, shape and dtype."""
    if array.dtype.kind in 'biufc':
        wide = {'g': np.float64, 'G': np.complex128}.get(array.dtype.char)
        # A copy, since torch refuses read-only and big-endian memory.
        native = array.astype(wide or array.dtype.newbyteorder('='), copy=True)
        return torch.from_numpy(np.ascontiguousarray(native).reshape(array.shape))
    if array.dtype.kind in 'USO':
        return {
            'items': [to_plain(item) for item in array.ravel().tolist()],
            'shape': list(array.shape),
            'dtype': 'O' if array.dtype.kind == 'O' else array.dtype.str[1:],
        }
    raise TypeError(
        'a checkpoint holds arrays of numbers, strings and objects only, but it was '
        f'given one of dtype {array.dtype}'
    )


def _rebuilt_array(content: Any) -> np.ndarray:
    if isinstance(content, torch.Tensor):
        return content.detach().cpu().numpy()
    if isinstance(content, dict) and content.keys() == {'items', 'shape', 'dtype'}:
        dtype, items = content['dtype'], from_plain(content['items'])
        if re.fullmatch(r'O|[US]\d{1,9}', str(dtype)) and isinstance(items, list):
            flat = np.empty(len(items), dtype=dtype)
            for index, item in enumerate(items):
                flat[index] = item
            return flat.reshape(content['shape'])
    raise ValueError(f'{_ARRAY_MARK} should hold a tensor or items, shape and dtype')


def _plain_buffer(buffer: Any) -> dict:
    return {
        _BUFFER_MARK: {
            'log': _plain_array(np.asarray(buffer._log_history)),
            'count': _plain_array(np.asarray(buffer._count_history)),
            'max_length': int(buffer.max_length),
        }
    }


def _rebuilt_buffer(columns: Any) -> Any:
    if isinstance(columns, dict) and columns.keys() == {'log', 'count', 'max_length'}:
        log, count, max_length = (columns[k] for k in ('log', 'count', 'max_length'))
        are_tensors = isinstance(log, torch.Tensor) and isinstance(count, torch.Tensor)
        if are_tensors and type(max_length) is int:
            return history_buffer(
                _rebuilt_array(log), _rebuilt_array(count), max_length
            )
    raise ValueError(f'{_BUFFER_MARK} should hold log, count and max_length')
