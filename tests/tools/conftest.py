"""The data, the processes and the trainings that the tests of the tools share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tool_runner import Tools  # noqa: E402


@pytest.fixture(scope='session')
def tools(tmp_path_factory):
    """A function that runs a tool; see :class:`Tools`."""
    running = Tools(tmp_path_factory.mktemp('tool_logs'))
    yield running
    running.close()


@pytest.fixture(scope='session')
def world(tmp_path_factory, tools) -> Path:
    """A folder with the tiny world where the tiny configs look for it."""
    folder = tmp_path_factory.mktemp('world')
    arguments = '--out work_dirs/world_tiny --size tiny --seed 0 --formats'.split()
    formats = ('voc2007', 'voc2012', 'imagenet_loc', 'openimages', 'occlusion')
    tools('make_world.py', *arguments, *formats, cwd=folder)
    return folder


@pytest.fixture
def here(world, tmp_path) -> Path:
    """An own, empty folder to run in, with a link to the world."""
    (tmp_path / 'work_dirs').mkdir()
    (tmp_path / 'work_dirs' / 'world_tiny').symlink_to(world / 'work_dirs/world_tiny')
    return tmp_path


class Trained(dict):
    """The work folder of a tiny config, trained when it is first asked for."""

    def __init__(self, tools: Tools, world: Path) -> None:
        self.tools, self.world = tools, world

    def __missing__(self, config: Path) -> Path:
        self.tools('train.py', config, cwd=self.world)
        self[config] = self.world / 'work_dirs' / config.stem
        return self[config]


@pytest.fixture(scope='session')
def trained(tools, world) -> Trained:
    """Each tiny config's work folder after its own short training."""
    return Trained(tools, world)
