"""Files from http addresses are fetched once, whole or not at all."""

import hashlib
import http.server
import os
import threading

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file

from mmdetxfer.checkpoints import fetching, loading_schemes
from mmdetxfer.checkpoints.fetching import fetched, named_hash
from mmdetxfer.checkpoints.loading_schemes import (
    fetched_by_one_rank,
    install_safe_loading,
)
from mmdetxfer.errors import CheckpointError, DamagedCheckpointError

WEIGHTS = {'w': torch.arange(6.0)}


@pytest.fixture
def served(server, hub):
    """The address of a served checkpoint."""
    torch.save(WEIGHTS, server.folder / 'x.pth')
    return f'{server.address}/x.pth'


def test_a_file_is_fetched_once(served, server, hub):
    assert fetched(served) == hub / 'x.pth' == fetched(served)
    assert (hub / 'x.pth').read_bytes() == (server.folder / 'x.pth').read_bytes()
    assert server.asked == ['/x.pth']
    assert [path.name for path in hub.iterdir()] == ['x.pth']


def test_the_fetch_is_said_with_its_size(served, capsys):
    fetched(served)
    assert f'fetching {served} (0.0 MB) to' in capsys.readouterr().out


def test_http_is_a_scheme_of_the_hosts_loader(served, server, hub):
    install_safe_loading()
    assert torch.equal(CheckpointLoader.load_checkpoint(served)['w'], WEIGHTS['w'])
    save_file(WEIGHTS, server.folder / 'y.safetensors')
    found = CheckpointLoader.load_checkpoint(f'{server.address}/y.safetensors')
    assert torch.equal(found['state_dict']['w'], WEIGHTS['w'])


def test_a_file_that_is_not_served_is_named_with_where_to_put_it(server, hub):
    with pytest.raises(CheckpointError, match='404.*fetch it elsewhere and put it at'):
        fetched(f'{server.address}/no.pth')
    assert not list(hub.iterdir())


def test_a_server_that_is_not_there_is_one_line(hub):
    with pytest.raises(CheckpointError, match='could not be fetched') as caught:
        fetched('http://127.0.0.1:9/x.pth')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('path', ['', '/', '/%2e%2e'])
def test_an_address_has_to_name_a_file(server, hub, path):
    with pytest.raises(CheckpointError, match='names no file'):
        fetched(server.address + path)


class _TooShort(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        self.send_response(200)
        self.send_header('Content-Length', '1000')
        self.end_headers()
        self.wfile.write(b'x' * 400)

    def log_message(self, *args):
        pass


def test_a_connection_that_breaks_off_leaves_nothing(hub):
    """torch's own function keeps the 400 bytes as if they were the file."""
    with http.server.HTTPServer(('127.0.0.1', 0), _TooShort) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{running.server_port}/x.pth'
        with pytest.raises(
            CheckpointError, match='ended at 400 of 1000 bytes|Incomple'
        ):
            fetched(address)
        assert not list(hub.iterdir())
        running.shutdown()


def test_a_hash_in_the_name_is_checked_when_fetched_and_ever_after(server, hub):
    torch.save(WEIGHTS, server.folder / 'x.pth')
    content = (server.folder / 'x.pth').read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    good = f'net-{digest[:8]}.pth'
    (server.folder / good).write_bytes(content)
    assert fetched(f'{server.address}/{good}').name == good
    (hub / good).write_bytes(content[:-1] + b'?')
    with pytest.raises(DamagedCheckpointError, match=f'begins with {digest[:8]}'):
        fetched(f'{server.address}/{good}')
    (server.folder / 'net-01234567.pth').write_bytes(content)
    with pytest.raises(DamagedCheckpointError, match='begins with 01234567'):
        fetched(f'{server.address}/net-01234567.pth')


@pytest.mark.parametrize(
    'name, expected',
    [
        ('resnet50-0676ba61.pth', '0676ba61'),
        ('resnest269_imagenet_converted-59930960.pth', '59930960'),
        ('faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth', '047c8118'),
        ('mine-20240131.pth', None),
        ('mine-abc.pth', None),
        ('deit-base-p16.pth', None),
        (f'x-{"a" * 64}.safetensors', 'a' * 64),
    ],
)
def test_a_date_is_no_hash(name, expected):
    assert named_hash(name) == expected


def test_a_rank_that_waits_takes_what_the_first_one_fetched(
    served, server, monkeypatch
):
    """The barrier is where the first rank's file appears."""
    monkeypatch.setenv('LOCAL_RANK', '1')
    monkeypatch.setattr(loading_schemes, 'barrier', lambda: fetched(served))
    asked = []
    monkeypatch.setattr(fetching, '_fetch', _noting(asked, fetching._fetch))
    assert fetched_by_one_rank(served).is_file()
    assert len(asked) == 1 == len(server.asked)


def _noting(asked, real):
    def fetch(address, target):
        asked.append(address)
        real(address, target)

    return fetch


def test_the_others_do_not_wait_for_ever_for_a_first_rank_that_failed(
    server, hub, monkeypatch
):
    monkeypatch.setenv('LOCAL_RANK', '0')
    passed = []
    monkeypatch.setattr(loading_schemes, 'barrier', lambda: passed.append(True))
    with pytest.raises(CheckpointError, match='404'):
        fetched_by_one_rank(f'{server.address}/no.pth')
    assert passed == [True]


def test_names_that_no_table_knows_are_answered_with_names_like_them():
    install_safe_loading()
    for address, near in (
        ('torchvision://resnet51', 'resnet50'),
        ('open-mmlab://resnet50_v1b', 'resnet50_v1c'),
        ('mmcls://mobilenet_v1', 'mobilenet_v2'),
    ):
        with pytest.raises(CheckpointError, match=f'knows no model .*{near}'):
            CheckpointLoader.load_checkpoint(address)


def test_a_model_without_weights_is_said_to_have_none():
    """mmengine's table of torchvision lists some without an address."""
    install_safe_loading()
    with pytest.raises(CheckpointError, match="no weights of 'shufflenetv2_x1.5'"):
        CheckpointLoader.load_checkpoint('torchvision://shufflenetv2_x1.5')


def test_mmcls_files_give_the_backbone_as_the_host_does(server, hub, monkeypatch):
    state = {'backbone.w': torch.ones(1), 'head.w': torch.ones(2)}
    torch.save({'state_dict': state}, server.folder / 'm.pth')
    table = {'toy': f'{server.address}/m.pth'}
    monkeypatch.setattr(loading_schemes, 'get_mmcls_models', lambda: table)
    install_safe_loading()
    found = CheckpointLoader.load_checkpoint('mmcls://toy')
    assert list(found['state_dict']) == ['w']


def test_a_home_sign_in_a_path_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    torch.save(WEIGHTS, tmp_path / 'x.pth')
    install_safe_loading()
    assert 'w' in CheckpointLoader.load_checkpoint(os.path.join('~', 'x.pth'))
