"""What a checkpoint of a stock mmengine run may name, and what answers instead.

``torch.load(weights_only=True)`` imports and calls nothing but torch's own rebuild
functions and what is listed here. None of the listed names reaches the real thing: each
is answered by a stand-in of this module that takes plain data and does nothing with
it. So ``builtins.getattr``, which the pickle of every ``HistoryBuffer`` calls, is a
function that knows four names; a ``HistoryBuffer`` of the file cannot write into the
class's table of statistics (the real ``__setstate__`` does); and numpy never sees an
array state that somebody else made up (with a made-up dtype it follows made-up
pointers).

:func:`resolved` turns the stand-ins into values afterwards and refuses whatever is not
plain data. ``deque`` comes back as a list; ``defaultdict``, ``ConfigDict`` and the
``argparse.Namespace`` in which many research repositories keep their settings come back
as dicts.
"""

import math
import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmdetxfer.checkpoints.plain_data import history_buffer

_STATISTICS = ('min', 'max', 'current', 'mean')
_SCALARS = (
    *(str, bytes, bytearray, bool, int, float, complex, type(None)),
    *(torch.Size, torch.dtype, torch.device, torch.layout, torch.qscheme),
)


class RefusedContent(pickle.UnpicklingError):
    """A file that names a permitted thing but uses it for something else."""


class BufferStandIn:
    """Answers for ``HistoryBuffer``: keeps the columns, ignores the statistics."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        """Take the state that the pickle of a ``HistoryBuffer`` holds."""
        self.state = state if isinstance(state, dict) else None

    def value(self) -> Any:
        """Return the ``HistoryBuffer``."""
        parts = ('_log_history', '_count_history', 'max_length')
        state = self.state or {}
        log, count, max_length = (state.get(part) for part in parts)
        is_whole = isinstance(log, ArrayStandIn) and isinstance(count, ArrayStandIn)
        if not is_whole or type(max_length) is not int:
            raise RefusedContent('a HistoryBuffer has no arrays of values and counts')
        return history_buffer(log.value(), count.value(), max_length)


class NamespaceStandIn:
    """Answers for ``argparse.Namespace``: keeps the settings as a dict."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        """Take the attributes."""
        self.state = state

    def value(self) -> dict:
        """Return the settings."""
        if not isinstance(self.state, dict):
            raise RefusedContent('an argparse.Namespace has no settings')
        return resolved(self.state)


class DtypeStandIn:
    """Answers for ``numpy.dtype``: plain numbers, strings and objects only."""

    def __init__(self, code: Any = None, *flags: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(r'[biufcSUO]\d{1,9}', code):
            raise RefusedContent(f'a numpy array has the dtype {code!r:.80}')
        self.code, self.order = code, '='

    def __setstate__(self, state: Any) -> None:
        """Take the byte order; fields and sub-arrays are refused."""
        order, *fields = state[1:5]
        if order not in ('<', '>', '|', '=') or fields != [None] * 3:
            raise RefusedContent(f'a numpy dtype has the state {state!r:.80}')
        self.order = order

    def dtype(self) -> np.dtype:
        """Return the real dtype."""
        return np.dtype('O' if self.code[0] == 'O' else self.order + self.code)


class ArrayStandIn:
    """Answers for ``numpy.ndarray``: keeps the state, checks it before using it."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        """Take (version, shape, dtype, is_fortran, content)."""
        self.state = state

    def value(self) -> np.ndarray:
        """Return the array; one of dtype object has resolved items."""
        state = self.state
        if not isinstance(state, tuple) or len(state) != 5:
            raise RefusedContent('a numpy array has no content')
        _, shape, dtype, is_fortran, content = state
        shape = tuple(shape)
        if not all(type(side) is int and side >= 0 for side in shape):
            raise RefusedContent(f'a numpy array has the shape {shape!r:.80}')
        items = _items(dtype, content)
        if len(items) != math.prod(shape):
            raise RefusedContent(
                f'a numpy array of shape {shape} has {len(items)} items'
            )
        return items.reshape(shape, order='F' if is_fortran is True else 'C').copy()


def _items(dtype: Any, content: Any) -> np.ndarray:
    """Return the flat array that bytes, or the list of an object array, hold."""
    if not isinstance(dtype, DtypeStandIn):
        raise RefusedContent(f'a numpy array has the dtype {dtype!r:.80}')
    real = dtype.dtype()
    if real.hasobject:
        items = np.empty(len(content), dtype=object)
        items[:] = [resolved(item) for item in content]
        return items
    if not isinstance(content, bytes):
        raise RefusedContent('a numpy array of numbers is not given as bytes')
    return np.frombuffer(content, real)


def _history_buffer_attribute(owner: Any, name: Any) -> str:
    """Answer for ``getattr``, with which a pickle names the four statistics."""
    if owner is BufferStandIn and name in _STATISTICS:
        return f'HistoryBuffer.{name}'
    raise RefusedContent(
        f'it asks for getattr({getattr(owner, "__name__", owner)!r:.60}, {name!r:.60})'
    )


def _begun_array(kind: Any, *shape_and_code: Any) -> ArrayStandIn:
    """Answer for numpy's ``_reconstruct``; the content comes with the state."""
    if kind is not ArrayStandIn:
        raise RefusedContent(f'it asks numpy to rebuild {kind!r:.80}')
    return ArrayStandIn()


def _scalar(dtype: Any, content: Any) -> np.generic:
    """Answer for numpy's ``scalar``."""
    items = _items(dtype, content)
    if items.dtype.hasobject or len(items) != 1:
        raise RefusedContent('a numpy scalar does not hold one number or string')
    return items[0]


def _as_list(items: Any = (), max_length: int | None = None) -> list:
    """Answer for ``deque``."""
    return list(items)


def _as_dict(*content_or_factory: Any) -> dict:
    """Answer for ``defaultdict`` (called with its factory) and ``ConfigDict``."""
    return {
        k: v
        for part in content_or_factory
        if type(part) is dict
        for k, v in part.items()
    }


def _empty_bytes() -> bytes:
    """Answer for ``bytes``, which old pickles call for the empty ones."""
    return b''


def _factory(name: str) -> Callable:
    """Answer for a type that a ``defaultdict`` names as its factory."""

    def refuse(*args: Any) -> None:
        raise RefusedContent(f'it calls {name}')

    return refuse


STAND_INS: dict[str, Any] = {
    'argparse.Namespace': NamespaceStandIn,
    'builtins.getattr': _history_buffer_attribute,
    'builtins.bytes': _empty_bytes,
    'collections.defaultdict': _as_dict,
    'collections.deque': _as_list,
    'mmengine.config.config.ConfigDict': _as_dict,
    'mmengine.logging.history_buffer.HistoryBuffer': BufferStandIn,
    'numpy.dtype': DtypeStandIn,
    'numpy.ndarray': ArrayStandIn,
    **{f'builtins.{name}': _factory(name) for name in ('dict', 'float', 'int', 'list')},
    **{
        f'numpy.{core}.multiarray.{name}': stand_in
        for core in ('core', '_core')
        for name, stand_in in (('scalar', _scalar), ('_reconstruct', _begun_array))
    },
}


def stock_checkpoint_globals() -> list[tuple[Any, str]]:
    """Return the allow-list in the form that ``safe_globals`` takes."""
    return [(stand_in, name) for name, stand_in in STAND_INS.items()]


def resolved(value: Any) -> Any:
    """Return ``value`` with stand-ins replaced, and raise if it is not plain data.

    Args:
        value: What ``torch.load(weights_only=True)`` returned with the allow-list.

    Returns:
        Tensors, numpy arrays and scalars, ``HistoryBuffer`` objects, plain containers
        and scalars.
    """
    if type(value) in _SCALARS or isinstance(value, (torch.Tensor, np.generic)):
        return value
    if isinstance(value, (BufferStandIn, ArrayStandIn, NamespaceStandIn)):
        return value.value()
    if type(value) in (list, tuple, set):
        return type(value)(resolved(item) for item in value)
    if type(value) in (dict, OrderedDict, Counter):
        plain = type(value)({resolved(k): resolved(v) for k, v in value.items()})
        if getattr(value, '_metadata', None) is not None:
            plain._metadata = resolved(value._metadata)
        return plain
    raise RefusedContent(f'it holds {value!r:.80}')
