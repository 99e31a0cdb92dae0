"""Builds parts as a config of mmdet does, whatever scope other tests have left."""

import pytest
from mmdet.utils import register_all_modules
from mmengine.registry import DefaultScope


@pytest.fixture(scope='module', autouse=True)
def mmdets_scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield
