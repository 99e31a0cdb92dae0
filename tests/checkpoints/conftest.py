"""What the tests of this folder share: hostile files, toy runs, a local server."""

import http.server
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def marker(tmp_path):
    """The file that a payload makes when it runs."""
    return tmp_path / 'the_payload_ran'


@pytest.fixture(autouse=True)
def nothing_is_trusted_afterwards():
    """Leave the reader safe for the next test."""
    from mmdetxfer.checkpoints.reading import trust_checkpoints

    yield
    trust_checkpoints(False)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder in place of torch's cache of fetched files."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch_home'))
    return tmp_path / 'torch_home' / 'hub' / 'checkpoints'


@pytest.fixture(autouse=True, scope='session')
def no_look_at_the_machine():
    """mmengine logs compilers and GPUs at the start of every Runner: half a second."""
    from mmengine.runner import runner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, 'collect_env', dict)
        yield


@pytest.fixture(scope='session')
def stock_folder(tmp_path_factory):
    """The work folder of a real training with mmengine's own Runner, 2 epochs of 3."""
    from mmengine.runner import Runner
    from toy_runs import toy_config

    folder = tmp_path_factory.mktemp('stock')
    Runner.from_cfg(toy_config(folder)).train()
    return folder


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path):
    """A local server of ``tmp_path/served``; ``asked`` lists the requests."""
    folder = tmp_path / 'served'
    folder.mkdir()
    handler = partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        running.asked = []
        running.folder = folder
        running.address = f'http://127.0.0.1:{running.server_port}'
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def one_thread():
    """On a busy machine tiny tensors wait for threads longer than they take."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
