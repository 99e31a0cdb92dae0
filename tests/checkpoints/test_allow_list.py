"""No name that a stock file may use reaches the real thing."""

import importlib
import io
import pickle
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict, deque

import numpy as np
import pytest
import torch
from hostile_files import Call
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer

from mmdetxfer.checkpoints.allow_list import (
    STAND_INS,
    RefusedContent,
    resolved,
    stock_checkpoint_globals,
)

FLOAT = np.dtype('f8')


def loaded(value):
    """Save and load as the reader does, without its error messages."""
    stream = io.BytesIO()
    torch.save({'it': value}, stream)
    stream.seek(0)
    with torch.serialization.safe_globals(stock_checkpoint_globals()):
        return resolved(torch.load(stream, weights_only=True))['it']


def refused(value, match):
    with pytest.raises(pickle.UnpicklingError, match=match):
        loaded(value)


class CallWithState(Call):
    """Pickles as a call whose result is then handed a state."""

    def __init__(self, function, args, state):
        super().__init__(function, *args)
        self.state = state

    def __reduce__(self):
        return self.function, self.args, self.state


def array_with(shape=(2,), dtype=FLOAT, is_fortran=False, content=None):
    """Return an array whose state says what the arguments say."""
    from numpy._core.multiarray import _reconstruct

    content = np.zeros(2).tobytes() if content is None else content
    state = (1, shape, dtype, is_fortran, content)
    return CallWithState(_reconstruct, (np.ndarray, (0,), b'b'), state)


def real_object(name):
    module, _, attribute = name.rpartition('.')
    return getattr(importlib.import_module(module), attribute)


def test_every_listed_name_is_answered_by_a_function_or_class_of_ours():
    for name, stand_in in STAND_INS.items():
        assert stand_in.__module__ == 'mmdetxfer.checkpoints.allow_list'
        if name.startswith('numpy.core.'):
            continue  # the name of older numpys
        assert stand_in is not real_object(name)
    named = {name for _, name in stock_checkpoint_globals()}
    assert named == set(STAND_INS) and 'builtins.getattr' in named


def test_the_four_statistics_of_a_history_buffer_may_be_named():
    found = [loaded(Call(getattr, HistoryBuffer, s)) for s in ('min', 'max', 'mean')]
    assert found == ['HistoryBuffer.min', 'HistoryBuffer.max', 'HistoryBuffer.mean']
    assert loaded(HistoryBuffer.current) == 'HistoryBuffer.current'


@pytest.mark.parametrize(
    'owner, name',
    [(HistoryBuffer, 'update'), (HistoryBuffer, '__init__'), (dict, 'min')],
)
def test_getattr_answers_for_nothing_else(owner, name):
    refused(Call(getattr, owner, name), 'it asks for getattr')


def test_a_file_cannot_write_into_the_table_of_statistics():
    """The real __setstate__ puts what the file says into a table of the class."""
    columns = {'_log_history': np.ones(2), '_count_history': np.ones(2)}
    state = {**columns, 'max_length': 9, 'statistics_methods': {'mean': set}}
    forged = CallWithState(HistoryBuffer, (), state)
    assert loaded(forged).statistics('mean') == 1.0
    assert HistoryBuffer._statistics_methods['mean'] is HistoryBuffer.mean
    try:
        pickle.loads(pickle.dumps(forged, protocol=2))
        assert HistoryBuffer._statistics_methods['mean'] is set
    finally:
        HistoryBuffer._statistics_methods['mean'] = HistoryBuffer.mean


def test_history_buffers_come_back_with_their_statistics():
    buffer = HistoryBuffer([1.0, 5.0, 3.0], [1, 2, 1], max_length=50)
    found = loaded({'loss': buffer, 'empty': HistoryBuffer()})
    assert found['loss'].statistics('mean', 2) == buffer.statistics('mean', 2) == 8 / 3
    assert (found['loss'].max(), found['loss'].min()) == (5, 1)
    assert found['loss'].current() == 3 and found['loss'].max_length == 50
    found['loss'].update(7.0)
    assert found['loss'].data[0].tolist() == [1, 5, 3, 7]
    assert len(found['empty'].data[0]) == 0


@pytest.mark.parametrize(
    'state',
    [
        pytest.param(3, id='no dict'),
        pytest.param({'_log_history': np.ones(2)}, id='no counts'),
        pytest.param(
            {'_log_history': [1], '_count_history': [1], 'max_length': 9}, id='lists'
        ),
    ],
)
def test_a_history_buffer_without_its_columns_is_refused(state):
    refused(CallWithState(HistoryBuffer, (), state), 'HistoryBuffer')


ARRAYS = [
    np.arange(6, dtype=np.int16).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(3, dtype='>i4'),
    np.array([True, False]),
    np.zeros((0, 4), np.float32),
    np.array(3.5),
    np.array([1 + 2j], dtype=np.complex64),
    np.array(['ab', 'cde']),
    np.array([b'ab', b'cde']),
    np.array([[1, 'a'], [None, 2.5]], dtype=object),
    np.array([np.float16(2)], dtype=np.longdouble),
]


@pytest.mark.parametrize('array', ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_come_back_equal_and_of_their_dtype(array):
    found = loaded(array)
    assert found.dtype == array.dtype and found.shape == array.shape
    assert found.tolist() == array.tolist()


@pytest.mark.parametrize(
    'scalar',
    [np.float32(0.1), np.int64(-5), np.bool_(True), np.str_('é'), np.float64(2)],
)
def test_numpy_scalars_come_back(scalar):
    found = loaded(scalar)
    assert type(found) is type(scalar) and found == scalar


def test_arrays_of_objects_are_looked_into():
    buffers = np.array([HistoryBuffer([4.0], [1]), np.ones(2)], dtype=object)
    found = loaded(buffers)
    assert found[0].mean() == 4 and found[1].tolist() == [1, 1]
    refused(np.array([torch.Size, 1], dtype=object), 'it holds')


def test_arrays_that_numpy_would_not_write_are_refused():
    refused(array_with(shape=(3,)), 'has 2 items')
    refused(array_with(shape=(-2,)), 'has the shape')
    refused(array_with(shape=('x',)), 'has the shape')
    refused(array_with(dtype='f8'), 'has the dtype')
    refused(array_with(content='text'), 'not given as bytes')
    refused(CallWithState(array_with().function, array_with().args, 3), 'no content')


def test_structured_and_made_up_dtypes_are_refused():
    """With the flags of such a dtype forged, numpy takes bytes for pointers."""
    refused(np.zeros(2, dtype=[('a', 'f4')]), 'has the dtype')
    refused(np.zeros(2, dtype='M8[ns]'), 'has the dtype')
    fields = (3, '|', None, ('a',), {'a': (np.dtype('f8'), 0)}, 8, 1, 0)
    refused(
        CallWithState(np.dtype, ('f8', False, True), fields),
        'numpy dtype has the state',
    )
    refused(
        CallWithState(np.dtype, ('f8',), (3, 'x', None, None, None)), 'has the state'
    )


def test_numpy_rebuilds_arrays_only():
    from numpy._core.multiarray import _reconstruct, scalar

    refused(Call(_reconstruct, set, (0,), b'b'), 'asks numpy to rebuild')
    refused(Call(_reconstruct, np.ndarray, (0,), b'b'), 'no content')
    refused(Call(scalar, np.dtype('O'), [1]), 'does not hold one number')
    refused(Call(scalar, np.dtype('f8'), np.zeros(2).tobytes()), 'does not hold one')


def test_containers_come_back_as_plain_ones():
    grouped = defaultdict(list, {'a': [1]})
    assert loaded(grouped) == {'a': [1]} and type(loaded(grouped)) is dict
    assert loaded(deque([1, 2], maxlen=3)) == [1, 2]
    nested = loaded(ConfigDict(a=dict(b=[1])))
    assert nested == {'a': {'b': [1]}} and type(nested) is dict
    assert loaded(Counter([5, 5])) == Counter({5: 2})
    assert type(loaded(Counter([5]))) is Counter
    assert loaded([b'', b'x', {1, 2}, 1j]) == [b'', b'x', {1, 2}, 1j]


def test_settings_of_research_repositories_come_back_as_dicts():
    """Their checkpoints hold what argparse parsed."""
    settings = Namespace(lr=0.1, output='x', sizes=np.arange(2))
    found = loaded({'args': settings})['args']
    assert type(found) is dict and found['sizes'].tolist() == [0, 1]
    assert (found['lr'], found['output']) == (0.1, 'x')
    refused(CallWithState(Namespace, (), 3), 'Namespace has no settings')
    refused(Namespace(run=torch.Size), 'it holds')


def test_the_factory_of_a_defaultdict_cannot_be_called():
    refused(Call(list, (1, 2)), 'it calls list')
    refused(Call(int, '7'), 'it calls int')


@pytest.mark.parametrize(
    'value', [torch.Size, torch.Tensor, defaultdict, HistoryBuffer]
)
def test_classes_and_functions_are_no_data(value):
    """torch's own check lets some of them pass as values."""
    refused({'max_epochs': value}, 'it holds')


def test_what_hangs_on_a_state_dict_is_looked_at():
    state = OrderedDict(w=torch.ones(1))
    state._metadata = OrderedDict({'': {'version': 1}})
    assert loaded(state)._metadata == {'': {'version': 1}}
    state._metadata = {'': torch.Size}
    refused(state, 'it holds')


def test_arrays_and_buffers_cannot_be_keys():
    with pytest.raises((TypeError, RefusedContent)):
        resolved({(STAND_INS['numpy.ndarray'](),): 1})
