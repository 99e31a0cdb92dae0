"""Caltech-256: the package's own split, and what is no whole data set."""

import hashlib

import pytest
from mmengine.registry import DATASETS

from mmdetxfer.datasets import Caltech256Dataset
from mmdetxfer.errors import UserError
from mmdetxfer.worlds.classification_sets import write_caltech256


@pytest.fixture
def root(tmp_path):
    """Three classes of 4, 5 and 6 images, clutter, and what is no image."""
    folder = tmp_path / '256_ObjectCategories'
    counts = {'001.ak47': 4, '056.dog': 5, '100.x': 6, '257.clutter': 7}
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f'{name[:3]}_{number + 1:04d}.jpg').touch()
    # As in the real set.
    (folder / '056.dog' / 'greg').mkdir()
    (folder / '056.dog' / 'RENAME2').touch()
    return folder


def names(root, split='train', **options):
    settings = dict(num_train=3, num_expected=22, lists_dir=str(root.parent / 'lists'))
    data = Caltech256Dataset(str(root), split, **{**settings, **options})
    infos = [data.get_data_info(k) for k in range(len(data))]
    paths = [info['img_path'].removeprefix(f'{root}/') for info in infos]
    return paths, [info['gt_label'] for info in infos], data


def test_each_class_gives_as_many_and_the_rest_are_the_test(root):
    train, labels, data = names(root)
    test, others, _ = names(root, 'test')
    assert labels == [0] * 3 + [1] * 3 + [2] * 3
    assert others == [0] + [1] * 2 + [2] * 3
    assert not set(train) & set(test)
    assert len(set(train) | set(test)) == 15
    assert data.metainfo['classes'] == ('001.ak47', '056.dog', '100.x')
    assert data.get_cat_ids(4) == [1]


def test_the_split_is_a_function_of_seed_and_names(root):
    """The three smallest SHA-256 of seed/folder/name of a class."""
    train, _, _ = names(root)
    own = [f'056.dog/056_{k:04d}.jpg' for k in range(1, 6)]
    order = sorted(own, key=lambda one: hashlib.sha256(f'0/{one}'.encode()).hexdigest())
    assert train[3:6] == sorted(order[:3])
    assert set(names(root, num_train=2)[0]) < set(train)
    assert names(root, seed=1)[0] != train


def test_the_lists_are_written_out_and_hashed(root):
    train, _, data = names(root)
    test, _, _ = names(root, 'test')
    digest = data.metainfo['split_sha256']
    folder = root.parent / 'lists' / f'caltech256_{digest[:16]}'
    texts = [(folder / f'{split}.txt').read_text() for split in ('train', 'test')]
    assert texts[0].split() == train and texts[1].split() == test
    assert hashlib.sha256('\n'.join(texts).encode()).hexdigest() == digest
    assert names(root, seed=1)[2].metainfo['split_sha256'] != digest


def test_clutter_is_a_class_if_asked_for(root):
    _, labels, data = names(root, has_clutter=True)
    assert data.metainfo['classes'][3] == '257.clutter' and labels.count(3) == 3


@pytest.mark.parametrize(
    'options, said',
    [
        (dict(num_expected=23), 'expected 23 images, got 22 in 4 folders; download it'),
        (dict(num_train=4), 'expected more than 4 images in 001.ak47, .* got 4'),
        (dict(split='val'), "expected split train or test .* got 'val' and 3"),
        (dict(num_train=0), "got 'train' and 0"),
    ],
)
def test_what_is_no_whole_set_is_refused(root, options, said):
    with pytest.raises(UserError, match=said):
        names(root, **options)


def test_a_real_download_has_30607_images(root):
    with pytest.raises(UserError, match='expected 30607 images, got 22'):
        Caltech256Dataset(str(root))


def test_folders_that_are_not_there(tmp_path):
    with pytest.raises(UserError, match='expected a folder of classes, there is none'):
        Caltech256Dataset(str(tmp_path / 'none'))
    with pytest.raises(UserError, match='expected folders of classes, there is none'):
        Caltech256Dataset(str(tmp_path), num_expected=None)


def test_the_embedded_world_is_read_by_configs_of_mmpretrain(tmp_path):
    from mmengine.registry import DefaultScope
    from mmpretrain.utils import register_all_modules

    write_caltech256(tmp_path, {'all': 40}, 0)
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        data = DATASETS.build(
            dict(
                type='mmdetxfer.Caltech256Dataset',
                data_root=str(tmp_path / '256_ObjectCategories'),
                num_train=2,
                num_expected=None,
                lists_dir=str(tmp_path / 'lists'),
                pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
            )
        )
        item = data[0]
    assert item['inputs'].shape[0] == 3 and item['data_samples'].gt_label == 0
    assert len(data) == 2 * len(data.metainfo['classes'])
