"""Every way in leads to the one reader: no entry lets a hostile file run its code."""

import copy
import runpy
import sys
from pathlib import Path

import mmengine.runner.checkpoint as host
import pytest
import torch
from hostile_files import TEXT_PLACES, by_os_system, config_text
from mmengine.runner import Runner
from toy_runs import tool_arguments, toy_config, toy_model

from mmdetxfer.checkpoints import loading_schemes
from mmdetxfer.checkpoints.loading_schemes import install_safe_loading
from mmdetxfer.checkpoints.reading import trust_checkpoints
from mmdetxfer.checkpoints.resumable import find_resumable
from mmdetxfer.engine import ExactRunner, launching
from mmdetxfer.engine.resuming import settle_resume
from mmdetxfer.errors import CheckpointError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def content(stock_folder):
    """A real training checkpoint, to which the hostile part is added."""
    return torch.load(stock_folder / 'epoch_1.pth', weights_only=False)


@pytest.fixture
def hostile(content, marker, server):
    """A file whose pickle runs code, in the folder that the local server serves."""
    content['meta']['experiment_name'] = by_os_system(marker)
    torch.save(content, server.folder / 'epoch_1.pth')
    return server.folder / 'epoch_1.pth'


def write_text(content: dict, path: Path, marker: Path, place: str) -> Path:
    info = content['message_hub']['runtime_info']
    target, key = (info, 'cfg') if place == 'message_hub' else (content['meta'], place)
    target[key] = config_text(marker)
    torch.save(content, path)
    return path


@pytest.fixture
def addresses(server, monkeypatch, hub):
    """mmengine's tables of addresses, all leading to the local server."""
    table = {'toy': f'{server.address}/epoch_1.pth'}
    for name in ('external', 'mmcls', 'torchvision'):
        monkeypatch.setattr(loading_schemes, f'get_{name}_models', lambda: table)
    monkeypatch.setattr(
        loading_schemes, 'get_deprecated_model_names', lambda: {'older': 'toy'}
    )


def by_load_from(path, tmp_path):
    cfg = toy_config(tmp_path / 'run', load_from=str(path))
    ExactRunner.from_cfg(cfg).train()


def by_resume(path, tmp_path):
    cfg = toy_config(tmp_path / 'run', load_from=str(path), resume=True)
    ExactRunner.from_cfg(cfg).train()


def by_resume_of_the_hosts_runner(path, tmp_path):
    install_safe_loading()
    cfg = toy_config(tmp_path / 'run', load_from=str(path), resume=True)
    Runner.from_cfg(cfg).train()


def by_resume_path(path, tmp_path):
    cfg = toy_config(tmp_path / 'run')
    settle_resume(cfg, str(path))
    ExactRunner.from_cfg(cfg).train()


def by_resume_auto(path, tmp_path):
    find_resumable(path.parent)


def by_init_cfg(path, tmp_path):
    install_safe_loading()
    model = toy_model(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    model.init_weights()


def by_init_cfg_with_prefix(path, tmp_path):
    install_safe_loading()
    pretrained = dict(type='Pretrained', checkpoint=str(path), prefix='backbone.')
    toy_model(init_cfg=pretrained).init_weights()


def by_the_hosts_function(path, tmp_path):
    install_safe_loading()
    host.load_checkpoint(toy_model(), str(path))


def by_test(path, tmp_path):
    cfg = toy_config(tmp_path / 'run', load_from=str(path))
    ExactRunner.from_cfg(cfg).test()


def by_the_train_tool(path, tmp_path):
    more = dict(resume=str(path), amp=False, auto_scale_lr=False)
    launching.train(tool_arguments(tmp_path, **more))


def by_the_test_tool(path, tmp_path):
    more = dict(checkpoint=str(path), out=None, show=False, show_dir=None, tta=False)
    launching.test(tool_arguments(tmp_path, **more))


ENTRIES = {
    entry.__name__: entry
    for entry in (
        by_load_from,
        by_resume,
        by_resume_of_the_hosts_runner,
        by_resume_path,
        by_resume_auto,
        by_init_cfg,
        by_init_cfg_with_prefix,
        by_the_hosts_function,
        by_test,
        by_the_train_tool,
        by_the_test_tool,
    )
}


@pytest.mark.parametrize('entry', ENTRIES)
def test_a_hostile_pickle_is_refused_at(entry, hostile, marker, tmp_path):
    with pytest.raises(CheckpointError, match='posix.system'):
        ENTRIES[entry](hostile, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize('place', TEXT_PLACES)
@pytest.mark.parametrize('entry', ENTRIES)
def test_a_config_text_that_runs_code_does_nothing_at(
    entry, place, content, marker, tmp_path
):
    """The file is good otherwise, so the entry does its work."""
    path = write_text(content, tmp_path / 'epoch_1.pth', marker, place)
    ENTRIES[entry](path, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(
    'entry',
    [by_load_from, by_resume, by_init_cfg, by_test, by_the_hosts_function],
    ids=lambda entry: entry.__name__,
)
def test_the_payload_runs_at_the_same_entry_if_it_is_trusted(
    entry, hostile, marker, tmp_path
):
    """So the entries above do reach the payload."""
    trust_checkpoints(True)
    entry(hostile, tmp_path)
    assert marker.exists()


def test_the_hosts_own_runner_and_loader_execute_the_text(content, marker, tmp_path):
    """So there is something to protect from: a file of tensors and strings."""
    content = {**content, 'message_hub': copy.deepcopy(content['message_hub'])}
    content['message_hub'].update(log_scalars={}, runtime_info={}, resumed_keys={})
    content['meta'].pop('dataset_meta')
    path = write_text(content, tmp_path / 'epoch_1.pth', marker, 'config')
    torch.load(path, weights_only=True)
    assert not marker.exists()
    host.CheckpointLoader.register_scheme('', host.load_from_local, force=True)
    try:
        cfg = toy_config(tmp_path / 'run', load_from=str(path), resume=True)
        Runner.from_cfg(cfg).train()
    finally:
        install_safe_loading()
    assert marker.exists()


ADDRESSES = [
    'torchvision://toy',
    'modelzoo://toy',
    'open-mmlab://toy',
    'openmmlab://toy',
    'open-mmlab://older',
    'mmcls://toy',
]


@pytest.mark.parametrize('address', ADDRESSES)
def test_a_hostile_file_behind_an_address_is_refused(
    address, hostile, marker, addresses, server, tmp_path
):
    with pytest.raises(CheckpointError, match='posix.system'):
        by_load_from(address, tmp_path)
    assert server.asked == ['/epoch_1.pth'] and not marker.exists()
    trust_checkpoints(True)
    install_safe_loading()
    host.CheckpointLoader.load_checkpoint(address)
    assert marker.exists()


def test_a_hostile_file_behind_http_is_refused(hostile, marker, server, hub, tmp_path):
    address = f'{server.address}/epoch_1.pth'
    for entry in (by_load_from, by_resume, by_init_cfg, by_init_cfg_with_prefix):
        with pytest.raises(CheckpointError, match='posix.system'):
            entry(address, tmp_path)
    assert not marker.exists()


def test_a_relative_entry_of_the_address_table_is_read_safely(
    hostile, marker, tmp_path, monkeypatch
):
    monkeypatch.setenv('MMENGINE_HOME', str(hostile.parent))
    table = {'toy': hostile.name}
    monkeypatch.setattr(loading_schemes, 'get_external_models', lambda: table)
    with pytest.raises(CheckpointError, match='posix.system'):
        by_load_from('open-mmlab://toy', tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(
    'address', ['s3://b/x.pth', 'petrel://x', 'a:s3://x', 'pavi://x']
)
def test_object_stores_are_refused_with_what_to_do(address, tmp_path):
    with pytest.raises(CheckpointError, match='object stores .* copy the file'):
        by_load_from(address, tmp_path)


def run_tool(monkeypatch, tool, *arguments):
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    runpy.run_path(str(REPOSITORY / 'tools' / tool), run_name='__main__')


def test_the_test_tool_ends_with_one_line_and_exit_code_1(
    hostile, marker, tmp_path, monkeypatch, capsys
):
    config = Path(tool_arguments(tmp_path).config)
    with pytest.raises(SystemExit) as ended:
        run_tool(monkeypatch, 'test.py', config, hostile)
    assert ended.value.code == 1 and not marker.exists()
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith('error')]
    assert 'posix.system' in line and '--trust-checkpoint' in line


def test_the_test_tool_lets_a_trusted_file_through(
    hostile, marker, tmp_path, monkeypatch
):
    config = tool_arguments(tmp_path).config
    run_tool(monkeypatch, 'test.py', config, hostile, '--trust-checkpoint')
    assert marker.exists()
