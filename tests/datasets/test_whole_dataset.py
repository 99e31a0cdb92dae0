"""Partial downloads of SUN-397 and Flowers, and sets that are whole."""

import pickle

import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from mmpretrain.utils import register_all_modules

from mmdetxfer.datasets import WholeDataset
from mmdetxfer.errors import UserError
from mmdetxfer.probes import held_out_rows
from mmdetxfer.worlds.classification_sets import write_flowers102, write_sun397


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def built(**settings):
    kind = 'mmdetxfer.WholeDataset'
    own = {k: settings.pop(k) for k in ('num_expected', 'part') if k in settings}
    return DATASETS.build(dict(type=kind, dataset=settings, **own))


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


def paths(data):
    return [data.get_data_info(k)['img_path'] for k in range(len(data))]


def test_trials_learn_from_what_probes_do_not_hold_out(tmp_path):
    """10 flowers, 6 images of each: a fifth of 6, rounded, is 1 of each class."""
    write_flowers102(tmp_path, {'train': 30, 'val': 30, 'test': 10}, 0)
    settings = dict(type='Flowers102', data_root=str(tmp_path), split='trainval')
    parts = {part: built(part=part, **settings) for part in ('learn', 'held_out')}
    whole = built(num_expected=60, **settings)
    labels = np.array([whole.get_data_info(k)['gt_label'] for k in range(60)])
    rows = held_out_rows(labels)
    assert paths(parts['held_out']) == [paths(whole)[row] for row in rows]
    assert len(rows) == 10
    both = [*paths(parts['learn']), *paths(parts['held_out'])]
    assert sorted(both) == sorted(paths(whole)) and len(parts['learn']) == 50


def test_parts_that_cannot_be_are_refused(tmp_path):
    write_flowers102(tmp_path, {'train': 4, 'val': 4, 'test': 4}, 0)
    settings = dict(type='Flowers102', data_root=str(tmp_path), split='train')
    with pytest.raises(UserError, match="part all, learn, held_out, got 'rest'"):
        built(part='rest', **settings)
    with pytest.raises(UserError, match='Flowers102: class .*expected 2 images or mo'):
        built(part='learn', **settings)
