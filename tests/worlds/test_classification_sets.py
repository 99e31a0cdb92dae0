"""Caltech-256, SUN-397 and Flowers, read by mmpretrain's own data sets.

The scenes are drawn again here; classes take turns (contract of ``world``). Which file
shows which scene is found by comparing pixels, so that a label that went to another
image would show.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmpretrain.datasets import SUN397, CustomDataset, Flowers102

from mmdetxfer.worlds.categories import caltech256_categories, flower_categories
from mmdetxfer.worlds.classification_sets import (
    sun397_folder,
    write_caltech256,
    write_flowers102,
    write_sun397,
)
from mmdetxfer.worlds.scenes import SCENE_CLASSES, draw_single_class, draw_sun_scene
from mmdetxfer.worlds.writing import stream_seed

SEED = 8
SUN_SIZES = {'train': 2 * len(SCENE_CLASSES) + 1, 'test': len(SCENE_CLASSES)}
FLOWER_SIZES = {'train': 6, 'val': 4, 'test': 9}


def shows(path, scene):
    image = cv2.imread(str(path))[:, :, ::-1].astype(int)
    same_size = image.shape == scene.image.shape
    return same_size and np.abs(image - scene.image).mean() < 10


def assert_read_as_drawn(dataset, drawn):
    """Each drawn (label, scene) is one image of the data set with that label."""
    infos = [dataset.get_data_info(position) for position in range(len(dataset))]
    assert len(infos) == len(drawn)
    for label, scene in drawn:
        found = [info for info in infos if shows(info['img_path'], scene)]
        assert [info['gt_label'] for info in found] == [label]


def assert_attributes(root, split, drawn):
    lines = (root / f'attributes_{split}.jsonl').read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [r['num_objects'] for r in records] == [len(s.objects) for _, s in drawn]
    assert [r['scene_class'] for r in records] == [s.scene_class for _, s in drawn]


def test_custom_dataset_reads_caltech256_as_drawn(tmp_path):
    categories = sorted(caltech256_categories(), key=lambda item: item.caltech256)
    number = 2 * len(categories) + 1
    stream = stream_seed(SEED, 'caltech256', 'all')
    drawn = [
        (
            i % len(categories),
            draw_single_class(stream, i, categories[i % len(categories)].key, 'target'),
        )
        for i in range(number)
    ]
    counts = write_caltech256(tmp_path, {'all': number}, SEED)
    objects = sum(len(scene.objects) for _, scene in drawn)
    assert (counts['all']['images'], counts['all']['instances']) == (number, objects)
    dataset = CustomDataset(data_prefix=str(tmp_path / '256_ObjectCategories'))
    assert list(dataset.CLASSES) == [item.caltech256 for item in categories]
    assert_read_as_drawn(dataset, drawn)
    assert_attributes(tmp_path, 'all', drawn)


def test_caltech256_files_are_named_by_class_number_and_count_from_1(tmp_path):
    folders = sorted(item.caltech256 for item in caltech256_categories())
    write_caltech256(tmp_path, {'all': len(folders) + 1}, SEED)
    first, second = folders[0], folders[1]
    files = {
        folder: sorted(
            path.name for path in (tmp_path / '256_ObjectCategories' / folder).iterdir()
        )
        for folder in folders
    }
    assert files[first] == [f'{first[:3]}_0001.jpg', f'{first[:3]}_0002.jpg']
    assert files[second] == [f'{second[:3]}_0001.jpg']


def test_a_caltech256_class_without_an_image_keeps_its_folder(tmp_path):
    write_caltech256(tmp_path, {'all': 1}, SEED)
    folders = [path.name for path in (tmp_path / '256_ObjectCategories').iterdir()]
    assert sorted(folders) == sorted(
        item.caltech256 for item in caltech256_categories()
    )


@pytest.fixture(scope='module')
def sun(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'SUN397'
    return folder, write_sun397(folder, SUN_SIZES, SEED)


def draw_sun(split):
    stream = stream_seed(SEED, 'sun397', split)
    names = [SCENE_CLASSES[i % len(SCENE_CLASSES)] for i in range(SUN_SIZES[split])]
    labels = [SUN397.METAINFO['classes'].index(name) for name in names]
    scenes = [draw_sun_scene(stream, i, name) for i, name in enumerate(names)]
    return list(zip(labels, scenes, strict=True))


@pytest.mark.parametrize('split', ['train', 'test'])
def test_mmpretrains_sun397_reads_the_scenes_as_drawn(sun, split):
    root, counts = sun
    drawn = draw_sun(split)
    objects = sum(len(scene.objects) for _, scene in drawn)
    assert counts[split]['images'] == SUN_SIZES[split]
    assert counts[split]['instances'] == objects
    assert_read_as_drawn(SUN397(data_root=str(root), split=split), drawn)
    assert_attributes(root, split, drawn)


def test_sun397_class_names_are_the_folders_of_the_images(sun):
    root, _ = sun
    names = (root / 'Partitions' / 'ClassName.txt').read_text().split()
    assert len(names) == len(SCENE_CLASSES)
    images = root / 'SUN397'
    folders = {f'/{path.parent.relative_to(images)}' for path in images.rglob('*.jpg')}
    assert folders == set(names)


def test_sun397_keeps_indoor_and_outdoor_apart_by_a_folder():
    assert sun397_folder('church_indoor') == '/c/church/indoor'
    assert sun397_folder('lake_natural') == '/l/lake/natural'
    assert sun397_folder('airport_terminal') == '/a/airport_terminal'
    assert sun397_folder('street') == '/s/street'


@pytest.fixture(scope='module')
def flowers(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'Flowers102'
    return folder, write_flowers102(folder, FLOWER_SIZES, SEED)


def draw_flowers(split):
    kinds = flower_categories()
    stream = stream_seed(SEED, 'flowers102', split)
    return [
        (
            kinds[i % len(kinds)].flower_id - 1,
            draw_single_class(stream, i, kinds[i % len(kinds)].key, 'target'),
        )
        for i in range(FLOWER_SIZES[split])
    ]


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_mmpretrains_flowers102_reads_the_flowers_as_drawn(flowers, split):
    root, counts = flowers
    drawn = draw_flowers(split)
    objects = sum(len(scene.objects) for _, scene in drawn)
    assert counts[split]['images'] == FLOWER_SIZES[split]
    assert counts[split]['instances'] == objects
    assert_read_as_drawn(Flowers102(data_root=str(root), split=split), drawn)
    assert_attributes(root, split, drawn)


def test_flowers102_joins_train_and_val_and_leaves_no_image_out(flowers):
    root, _ = flowers
    joined = Flowers102(data_root=str(root), split='trainval')
    drawn = draw_flowers('train') + draw_flowers('val')
    assert_read_as_drawn(joined, drawn)
    names = sorted(path.name for path in (root / 'jpg').iterdir())
    assert names == [f'image_{number:05d}.jpg' for number in range(1, 20)]


def test_equal_flower_worlds_have_equal_files(flowers, tmp_path):
    """SciPy writes the time of day into a .mat file."""
    root, _ = flowers
    write_flowers102(tmp_path, FLOWER_SIZES, SEED)
    for name in ('imagelabels.mat', 'setid.mat', 'jpg/image_00001.jpg'):
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes()
    assert b'20' not in (root / 'setid.mat').read_bytes()[:116]


def test_a_flower_split_of_one_image_is_refused_as_its_reader_cannot_read_it(tmp_path):
    with pytest.raises(ValueError, match='needs 2 images in each split'):
        write_flowers102(tmp_path, {'train': 2, 'val': 1, 'test': 2}, SEED)


@pytest.mark.parametrize(
    ('write', 'split_sizes', 'message'),
    [
        (write_caltech256, {'train': 2}, r"Caltech-256 .* \['all'\], got \['train'\]"),
        (write_sun397, {'val': 2}, r"SUN-397 .* \['train', 'test'\], got \['val'\]"),
        (write_flowers102, {'all': 2}, r"Flowers .*'val', 'test'\], got \['all'\]"),
    ],
)
def test_an_unknown_split_is_refused(tmp_path, write, split_sizes, message):
    with pytest.raises(ValueError, match=message):
        write(Path(tmp_path), split_sizes, SEED)
