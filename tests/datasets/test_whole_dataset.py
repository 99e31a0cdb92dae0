"""Partial downloads of SUN-397 and Flowers, and sets that are whole."""

import pickle

import pytest
from mmengine.registry import DATASETS, DefaultScope
from mmpretrain.utils import register_all_modules

from mmdetxfer.datasets import WholeDataset
from mmdetxfer.errors import UserError
from mmdetxfer.worlds.classification_sets import write_flowers102, write_sun397


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def built(**settings):
    kind = 'mmdetxfer.WholeDataset'
    number = settings.pop('num_expected', None)
    return DATASETS.build(dict(type=kind, num_expected=number, dataset=settings))


def test_a_set_that_is_whole_is_itself(tmp_path):
    write_sun397(tmp_path, {'train': 9, 'test': 6}, 0)
    data = built(type='SUN397', data_root=str(tmp_path), num_expected=9)
    assert isinstance(data, WholeDataset) and len(data) == 9
    assert len(data.metainfo['classes']) == 397
    assert len(pickle.loads(pickle.dumps(data))) == 9


def test_lists_of_another_length_are_refused(tmp_path):
    write_sun397(tmp_path, {'train': 9, 'test': 6}, 0)
    with pytest.raises(UserError, match='SUN397: expected 19850 images, its lists'):
        built(type='SUN397', data_root=str(tmp_path), num_expected=19850)


def test_files_that_are_not_there_are_counted_and_the_first_is_named(tmp_path):
    write_flowers102(tmp_path, {'train': 4, 'val': 4, 'test': 4}, 0)
    for number in (3, 7):
        (tmp_path / f'jpg/image_{number:05d}.jpg').unlink()
    said = r'Flowers102: expected 8 images, 6 are there, without .*image_00003.jpg'
    with pytest.raises(UserError, match=said):
        built(type='Flowers102', data_root=str(tmp_path), split='trainval')
    assert len(built(type='Flowers102', data_root=str(tmp_path), split='test')) == 4
