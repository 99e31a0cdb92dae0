"""One reader: hostile files are refused, damaged ones named, config texts dropped."""

import contextlib
import copy
import time
from collections import OrderedDict

import pytest
import torch
from hostile_files import (
    CONTAINERS,
    PAYLOADS,
    TEXT_PLACES,
    by_os_system,
    config_text,
    write_plain,
    write_zip,
)
from mmengine.config import Config
from safetensors.torch import save_file

from mmdetxfer.checkpoints.allow_list import stock_checkpoint_globals
from mmdetxfer.checkpoints.reading import read_checkpoint, trust_checkpoints
from mmdetxfer.errors import CheckpointError, DamagedCheckpointError

WEIGHTS = {'w': torch.arange(6.0).reshape(2, 3)}


def read_carelessly(path):
    """Load as older versions of torch do; what comes after the payload may fail."""
    with contextlib.suppress(Exception):
        torch.load(path, map_location='cpu', weights_only=False)


@pytest.mark.parametrize('kind', PAYLOADS)
def test_a_pickle_that_runs_code_is_refused(tmp_path, marker, kind):
    path = write_zip(tmp_path / 'x.pth', PAYLOADS[kind](marker), WEIGHTS)
    with pytest.raises(CheckpointError, match='was refused: .* --trust-checkpoint'):
        read_checkpoint(path)
    assert not marker.exists()
    read_carelessly(path)
    assert marker.exists(), 'the payload has to run where nothing stops it'


@pytest.mark.parametrize('container', CONTAINERS)
def test_no_container_lets_a_payload_through(tmp_path, marker, container):
    write = CONTAINERS[container]
    path = write(tmp_path / 'x.pth', by_os_system(marker), WEIGHTS)
    with pytest.raises(CheckpointError, match='x.pth'):
        read_checkpoint(path)
    assert not marker.exists()
    read_carelessly(path)
    assert marker.exists(), 'the payload has to run where nothing stops it'


def test_the_refusal_names_what_the_file_asked_for(tmp_path, marker):
    path = write_zip(tmp_path / 'x.pth', by_os_system(marker), WEIGHTS)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    line = str(caught.value)
    assert 'posix.system' in line and '\n' not in line and '\x1b' not in line


def test_the_reader_does_not_listen_to_torchs_environment_switch(
    tmp_path, marker, monkeypatch
):
    """The switch turns off the check of every call that does not insist on it."""
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    path = write_zip(tmp_path / 'x.pth', by_os_system(marker), WEIGHTS)
    with pytest.raises(CheckpointError, match='refused'):
        read_checkpoint(path)
    assert not marker.exists()
    torch.load(path)
    assert marker.exists()


def test_a_trusted_file_may_run_its_code(tmp_path, marker):
    path = write_zip(tmp_path / 'x.pth', by_os_system(marker), WEIGHTS)
    trust_checkpoints(True)
    found = read_checkpoint(path)
    assert marker.exists()
    assert torch.equal(found['state_dict']['w'], WEIGHTS['w'])


def test_trust_ends_when_it_is_taken_back(tmp_path, marker):
    path = write_zip(tmp_path / 'x.pth', by_os_system(marker), WEIGHTS)
    trust_checkpoints(True)
    trust_checkpoints(False)
    with pytest.raises(CheckpointError, match='refused'):
        read_checkpoint(path)


def test_reading_leaves_torchs_own_list_of_safe_names_empty(tmp_path):
    torch.save(WEIGHTS, tmp_path / 'x.pth')
    read_checkpoint(tmp_path / 'x.pth')
    mine = {name for _, name in stock_checkpoint_globals()}
    left = {str(one) for one in torch.serialization.get_safe_globals()}
    assert not [name for name in mine if any(name in one for one in left)]


@pytest.mark.parametrize('place', TEXT_PLACES)
def test_config_texts_are_dropped_and_only_read(tmp_path, marker, place):
    """The convention that the text states survives, the text does not."""
    path = write_plain(tmp_path / 'x.pth', marker, WEIGHTS, place)
    trust_everything = copy.deepcopy(torch.load(path, weights_only=True))
    assert config_text(marker) in str(trust_everything).replace('\\n', '\n')
    found = read_checkpoint(path)
    assert 'touch' not in str(found)
    assert not marker.exists()
    Config.fromstring(config_text(marker), '.py')
    assert marker.exists(), 'the host has to execute the text where it finds it'


def test_a_text_is_dropped_from_trusted_files_too(tmp_path, marker):
    path = write_plain(tmp_path / 'x.pth', marker, WEIGHTS, 'config')
    trust_checkpoints(True)
    assert 'config' not in read_checkpoint(path)['meta']


CONFIG = 'model = dict(data_preprocessor=dict(mean=[1, 2, 3], std=[4, 5, 6]))'


@pytest.mark.parametrize('place', TEXT_PLACES)
def test_the_convention_that_a_text_states_is_kept(tmp_path, place):
    content = {'state_dict': WEIGHTS, 'meta': {}, 'message_hub': {'runtime_info': {}}}
    is_hub = place == 'message_hub'
    where = content['message_hub']['runtime_info'] if is_hub else content['meta']
    where['cfg' if is_hub else place] = CONFIG
    torch.save(content, tmp_path / 'x.pth')
    meta = read_checkpoint(tmp_path / 'x.pth')['meta']
    assert meta['input_convention']['mean'] == [1, 2, 3]
    assert meta['input_convention']['channel_order'] == 'bgr'


def test_a_convention_stated_as_data_is_not_overruled_by_a_text(tmp_path):
    stated = {'channel_order': 'rgb', 'mean': [9, 9, 9], 'std': [1, 1, 1]}
    content = {
        'state_dict': WEIGHTS,
        'meta': {'cfg': CONFIG, 'input_convention': stated},
    }
    torch.save(content, tmp_path / 'x.pth')
    assert read_checkpoint(tmp_path / 'x.pth')['meta'] == {'input_convention': stated}


def test_a_bare_state_dict_keeps_its_versions(tmp_path):
    """mmcv's deformable convolutions rename their keys by these versions."""
    state = torch.nn.BatchNorm2d(2).state_dict()
    assert state._metadata['']['version'] == 2
    torch.save(state, tmp_path / 'x.pth')
    found = read_checkpoint(tmp_path / 'x.pth')
    assert isinstance(found, OrderedDict) and found._metadata == state._metadata
    assert 'meta' not in found


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(CheckpointError, match='not found: .* there is none'):
        read_checkpoint(tmp_path / 'no.pth')
    with pytest.raises(CheckpointError, match='not found: .* there is a folder'):
        read_checkpoint(tmp_path)


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path, monkeypatch):
    torch.save(WEIGHTS, tmp_path / 'x.pth')

    def refuse(*args, **kwargs):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(torch, 'load', refuse)
    with pytest.raises(CheckpointError, match='cannot be opened .Permission') as caught:
        read_checkpoint(tmp_path / 'x.pth')
    assert not isinstance(caught.value, DamagedCheckpointError)


def test_a_file_without_a_dict_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='expected a dict .* it holds list'):
        read_checkpoint(tmp_path / 'x.pth')


def test_a_text_file_is_no_checkpoint(tmp_path):
    (tmp_path / 'x.pth').write_text('<html>not found</html>')
    with pytest.raises(CheckpointError, match='x.pth'):
        read_checkpoint(tmp_path / 'x.pth')


def test_the_device_asked_for_is_the_device_given(tmp_path):
    torch.save(WEIGHTS, tmp_path / 'x.pth')
    save_file(WEIGHTS, tmp_path / 'x.safetensors')
    meta = torch.device('meta')
    assert read_checkpoint(tmp_path / 'x.pth', meta)['w'].device == meta
    found = read_checkpoint(tmp_path / 'x.safetensors', meta)
    assert found['state_dict']['w'].device == meta
    by_function = read_checkpoint(
        tmp_path / 'x.safetensors', lambda storage, _: storage
    )
    assert by_function['state_dict']['w'].device.type == 'cpu'


def test_a_config_text_of_10_mb_costs_nothing(tmp_path):
    torch.save({'meta': {'cfg': 'x' * 10_000_000}}, tmp_path / 'x.pth')
    started = time.monotonic()
    assert read_checkpoint(tmp_path / 'x.pth')['meta'] == {}
    assert time.monotonic() - started < 5
