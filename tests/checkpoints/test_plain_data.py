"""What we write is plain: no allow-list reads it, and what can come back does."""

import enum
import io
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer

from mmdetxfer.checkpoints.plain_data import (
    from_plain,
    history_buffer,
    to_plain,
)


def through_a_file(value):
    """Make plain, save, load with torch's own check and no list of ours, rebuild."""
    stream = io.BytesIO()
    torch.save(to_plain(value), stream)
    stream.seek(0)
    return from_plain(torch.load(stream, weights_only=True))


Point = namedtuple('Point', 'x y')
Colour = enum.Enum('Colour', 'RED', type=str)


class Level(enum.IntEnum):
    HIGH = 3


class Named(str):
    def __str__(self):
        return 'something else'


SAME = [
    None,
    True,
    -1,
    1 << 70,
    0.1,
    float('inf'),
    2j,
    'é\n',
    b'ab\x00',
    b'',
    [],
    (1, (2, [3])),
    {'a': {1: None}, (1, 2): 'tuple'},
    pytest.param({1, 'a'}, id='a set'),  # the order in its repr varies
    Counter({5: 2}),
    OrderedDict(b=1, a=2),
]


@pytest.mark.parametrize('value', SAME, ids=repr)
def test_plain_values_come_back_as_they_are(value):
    found = through_a_file(value)
    assert found == value and type(found) is type(value)


BECOMES = [
    (np.float32(0.5), 0.5, float),
    (np.int64(3), 3, int),
    (np.bool_(True), True, bool),
    (np.str_('x'), 'x', str),
    (np.longdouble(0.5), 0.5, float),
    (np.clongdouble(2j), 2j, complex),
    (defaultdict(list, a=[1]), {'a': [1]}, dict),
    (deque([1, 2], maxlen=2), [1, 2], list),
    (range(3), [0, 1, 2], list),
    ({'a': 1}.values(), [1], list),
    (frozenset([1]), {1}, set),
    (Point(1, 2), (1, 2), tuple),
    (torch.Size([2, 3]), (2, 3), tuple),
    (bytearray(b'x'), b'x', bytes),
    (bytearray(), b'', bytes),
    (Path('a') / 'b', 'a/b', str),
    (torch.float16, 'torch.float16', str),
    (torch.device('cuda:1'), 'cuda:1', str),
    (Colour.RED, '1', str),
    (Level.HIGH, 3, int),
    (Named('itself'), 'itself', str),
    ({np.int64(1): np.str_('v')}, {1: 'v'}, dict),
]


@pytest.mark.parametrize('value, plain, kind', BECOMES, ids=lambda v: repr(v)[:30])
def test_other_values_become_the_plain_value_that_is_equal(value, plain, kind):
    found = through_a_file(value)
    assert found == plain and type(found) is kind


DTYPES = '? i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8 c8 c16'.split() + [
    '>i4',
    '>f8',
    '>u2',
    '<U3',
    '>U3',
    'S2',
    'O',
]


@pytest.mark.parametrize('shape', [(), (0,), (0, 4), (3,), (2, 3)])
@pytest.mark.parametrize('dtype', DTYPES)
def test_arrays_come_back_with_shape_dtype_and_numbers(dtype, shape):
    numbers = np.arange(np.prod(shape, dtype=int)) % 2
    array = numbers.astype(dtype).reshape(shape)
    found = through_a_file([array])[0]
    assert isinstance(found, np.ndarray) and found.shape == shape
    assert found.dtype == array.dtype.newbyteorder('=')
    assert found.tolist() == array.tolist()


def test_long_doubles_come_back_as_doubles():
    found = through_a_file(np.array([0.25], dtype=np.longdouble))
    assert found.dtype == np.float64 and found.tolist() == [0.25]


def test_arrays_that_nothing_may_write_to_come_back_writable():
    array = np.arange(4.0)[::2]
    array.flags.writeable = False
    found = through_a_file(array)
    found[0] = 9
    assert found.tolist() == [9, 2] and array.tolist() == [0, 2]


def test_arrays_of_objects_hold_plain_things_and_come_back():
    inner = np.array([[1, 'a'], [None, 2.5]], dtype=object)
    array = np.array([np.float32(1), (1, 2), inner, Path('p')], dtype=object)
    found = through_a_file(array)
    assert found[:2].tolist() == [1.0, (1, 2)] and found[3] == 'p'
    assert found[2].tolist() == inner.tolist() and found[2].shape == (2, 2)


def test_tensors_keep_dtype_and_parameters_stay_parameters():
    kinds = ('uint8', 'uint16', 'bfloat16', 'float8_e4m3fn', 'bool', 'complex64')
    tensors = [torch.ones(2).to(getattr(torch, kind)) for kind in kinds]
    found = through_a_file(tensors)
    assert [t.dtype for t in found] == [t.dtype for t in tensors]
    assert type(through_a_file(torch.nn.Parameter(torch.ones(1)))) is torch.nn.Parameter


def test_subclasses_of_tensor_become_tensors():
    class Boxes(torch.Tensor):
        pass

    found = through_a_file(torch.ones(2, 4).as_subclass(Boxes))
    assert type(found) is torch.Tensor and torch.equal(found, torch.ones(2, 4))


def test_tensors_of_another_device_come_to_the_cpu():
    """The meta device stands in for a GPU: its tensors have no numbers to bring."""
    with pytest.raises(NotImplementedError, match='meta'):
        to_plain(torch.ones(2, device='meta'))


def test_a_state_dict_keeps_its_order_and_versions():
    state = torch.nn.Sequential(torch.nn.BatchNorm2d(2)).state_dict()
    found = through_a_file({'state_dict': state})['state_dict']
    assert list(found) == list(state) and found._metadata == state._metadata
    assert found._metadata['0']['version'] == 2


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.data(),
)
@settings(max_examples=40, deadline=None)
def test_history_buffers_come_back_with_equal_statistics(values, data):
    counts = data.draw(
        st.lists(st.integers(1, 9), min_size=len(values), max_size=len(values))
    )
    window = data.draw(st.integers(1, len(values)))
    buffer = HistoryBuffer(values, counts, max_length=1000)
    found = through_a_file({'loss': buffer})['loss']
    assert isinstance(found, HistoryBuffer) and found.max_length == 1000
    for name in ('mean', 'min', 'max'):
        assert found.statistics(name, window) == buffer.statistics(name, window)
    assert found.current() == buffer.current()
    buffer.update(1.5, 2), found.update(1.5, 2)
    assert found.mean() == buffer.mean()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(PLAIN)
@settings(max_examples=60, deadline=None)
def test_nests_of_plain_values_are_left_alone(value):
    assert to_plain(value) == value == from_plain(to_plain(value))
    assert to_plain(to_plain(value)) == to_plain(value)


class Unknown:
    """Something that a hook may put into the message hub."""


@pytest.mark.parametrize(
    'value',
    [Unknown(), {'a': [Unknown()]}, np.array([Unknown()], dtype=object), len, Unknown],
    ids=['object', 'nested', 'in an array', 'function', 'class'],
)
def test_objects_of_unknown_types_are_named(value):
    with pytest.raises(
        TypeError, match='plain values only, but it was given .*; the h'
    ):
        to_plain(value)


def test_modules_are_not_mistaken_for_lists():
    with pytest.raises(TypeError, match='ModuleList'):
        to_plain(torch.nn.ModuleList([torch.nn.ReLU()]))


@pytest.mark.parametrize('dtype', ['M8[s]', [('a', 'f4')]])
def test_arrays_of_unknown_kinds_are_named(dtype):
    with pytest.raises(TypeError, match='given one of dtype'):
        to_plain(np.zeros(1, dtype=dtype))


ARRAY, BUFFER = 'mmdetxfer.ndarray', 'mmdetxfer.history_buffer'
ONE = torch.ones(1)


@pytest.mark.parametrize(
    'marked, match',
    [
        ({ARRAY: 3}, 'ndarray should hold'),
        ({ARRAY: {'items': [1], 'shape': [1], 'dtype': 'V8'}}, 'ndarray should hold'),
        ({ARRAY: {'items': [1], 'shape': [3], 'dtype': 'O'}}, 'reshape'),
        ({BUFFER: []}, 'history_buffer should hold'),
        ({BUFFER: {'log': 1, 'count': ONE, 'max_length': 1}}, 'history_buffer should'),
        ({BUFFER: {'log': ONE, 'count': ONE, 'max_length': 'x'}}, 'history_buffer sho'),
        (
            {BUFFER: {'log': torch.ones(2), 'count': ONE, 'max_length': 1}},
            'two columns',
        ),
    ],
)
def test_marks_that_hold_something_else_are_errors(marked, match):
    with pytest.raises(ValueError, match=match):
        from_plain({'meta': [marked]})


def test_columns_of_a_history_buffer_are_numbers():
    with pytest.raises(ValueError, match='two columns of numbers'):
        history_buffer(np.array(['a']), np.array([1]), 5)
