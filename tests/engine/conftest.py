"""Makes the toy training importable for the tests beside it; gives them a world."""

import sys
from pathlib import Path

import pytest

from mmdetxfer.worlds.world import make_world

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session')
def tiny_world(tmp_path_factory):
    """The folder of a tiny world with the formats that the tiny configs read."""
    folder = tmp_path_factory.mktemp('world') / 'tiny'
    make_world(folder, 'tiny', 0, formats=('voc2007', 'voc2012', 'imagenet_loc'))
    return folder
