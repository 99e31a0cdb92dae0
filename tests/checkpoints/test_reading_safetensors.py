"""Safetensors: weights and plain data beside them, no code anywhere."""

import json

import pytest
import torch
from hostile_files import by_os_system, config_text, write_zip
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file
from toy_runs import toy_config, toy_weights

from mmdetxfer.checkpoints.loading_schemes import install_safe_loading
from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.checkpoints.settle_convention import settle_convention
from mmdetxfer.checkpoints.writing import sha256_path, write_atomically
from mmdetxfer.engine import ExactRunner
from mmdetxfer.errors import DamagedCheckpointError
from mmdetxfer.text_files import sha256_of_file

WEIGHTS = {'w': torch.arange(6.0).reshape(2, 3)}


def test_a_safetensors_file_gives_weights_and_what_its_sidecar_says(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_file(WEIGHTS, path)
    path.with_suffix('.json').write_text(json.dumps({'input_convention': 'caffe'}))
    found = read_checkpoint(path)
    assert torch.equal(found['state_dict']['w'], WEIGHTS['w'])
    assert found['meta'] == {'input_convention': 'caffe'}


def test_without_a_sidecar_the_header_of_safetensors_speaks(tmp_path):
    path = tmp_path / 'x.safetensors'
    stated = {'channel_order': 'rgb', 'mean': [1, 2, 3], 'std': [1, 1, 1]}
    header = {'input_convention': json.dumps(stated), 'format': 'pt'}
    save_file(WEIGHTS, path, metadata=header)
    assert read_checkpoint(path)['meta'] == {'input_convention': stated, 'format': 'pt'}


def test_a_sidecar_cannot_bring_a_config_text_in(tmp_path, marker):
    path = tmp_path / 'x.safetensors'
    save_file(WEIGHTS, path)
    path.with_suffix('.json').write_text(json.dumps({'config': config_text(marker)}))
    meta = read_checkpoint(path)['meta']
    assert meta.keys() == {'input_convention'} and not marker.exists()


@pytest.mark.parametrize('text', ['{', '[1]', '[' * 100_000])
def test_a_sidecar_that_is_no_json_object_is_named(tmp_path, text):
    path = tmp_path / 'x.safetensors'
    save_file(WEIGHTS, path)
    path.with_suffix('.json').write_text(text)
    with pytest.raises(DamagedCheckpointError, match='x.json: expected a JSON object'):
        read_checkpoint(path)


def test_damaged_safetensors_are_named(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_file(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedCheckpointError, match='cannot be read as safetensors'):
        read_checkpoint(path)


def test_a_pickle_under_the_name_of_safetensors_is_not_unpickled(tmp_path, marker):
    path = tmp_path / 'x.safetensors'
    write_zip(path, by_os_system(marker), WEIGHTS)
    with pytest.raises(DamagedCheckpointError, match='safetensors'):
        read_checkpoint(path)
    assert not marker.exists()


def test_a_training_starts_from_safetensors_with_the_convention_beside_them(tmp_path):
    path = tmp_path / 'x.safetensors'
    save_file(toy_weights(), path)
    stated = {'channel_order': 'rgb', 'mean': [1, 2, 3], 'std': [4, 5, 6]}
    path.with_suffix('.json').write_text(json.dumps({'input_convention': stated}))
    cfg = toy_config(tmp_path / 'run', load_from=str(path))
    install_safe_loading()
    settle_convention(cfg, CheckpointLoader.load_checkpoint)
    runner = ExactRunner.from_cfg(cfg)
    runner.load_or_resume()
    loaded = runner.model.state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in toy_weights().items())
    assert runner.model.data_preprocessor.mean.flatten().tolist() == [1, 2, 3]


def test_the_hash_of_a_safetensors_file_is_checked(tmp_path):
    path = tmp_path / 'x.safetensors'
    write_atomically(path, lambda temporary: save_file(WEIGHTS, temporary))
    assert sha256_path(path).read_text().split()[0] == sha256_of_file(path)
    other = {'w': WEIGHTS['w'] + 1}
    save_file(other, path)
    with pytest.raises(DamagedCheckpointError, match='SHA-256'):
        read_checkpoint(path)
