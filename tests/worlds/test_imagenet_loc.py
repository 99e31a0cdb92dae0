"""ImageNet-Loc, read by mmpretrain and by a plain reader, against scenes drawn again.

The classes take turns in the order of their synsets: image i of a split shows objects
of class i modulo the number of classes (contract of ``world``).
"""

import csv
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import mmpretrain
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import DATASETS
from mmpretrain.utils import register_all_modules

from mmdetxfer.worlds import imagenet_loc
from mmdetxfer.worlds.categories import categories_of
from mmdetxfer.worlds.scenes import draw_single_class
from mmdetxfer.worlds.writing import stream_seed

SEED = 5
SYNSETS = sorted(category.synset for category in categories_of('source'))
KEYS = {category.synset: category.key for category in categories_of('source')}
SIZES = {'train': 2 * len(SYNSETS) + 3, 'val': len(SYNSETS) + 2}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'ILSVRC'
    counts = imagenet_loc.write(folder, SIZES, SEED)
    for split, images in DRAWN.items():
        objects = sum(len(scene.objects) for _, scene in images.values())
        assert counts[split]['images'] == SIZES[split]
        assert counts[split]['instances'] == objects
    return folder


def draw_again(split):
    """Map the name of each image to its synset and scene."""
    stream = stream_seed(SEED, 'imagenet_loc', split)
    images = {}
    for index in range(SIZES[split]):
        synset = SYNSETS[index % len(SYNSETS)]
        scene = draw_single_class(stream, index, KEYS[synset], 'source')
        name = f'ILSVRC2012_val_{index + 1:08d}'
        if split == 'train':
            name = f'{synset}_{index // len(SYNSETS) + 1}'
        images[name] = (synset, scene)
    return images


DRAWN = {split: draw_again(split) for split in SIZES}


def image_path(root, split, name, synset):
    folder = synset if split == 'train' else ''
    return root / 'Data' / 'CLS-LOC' / split / folder / f'{name}.JPEG'


@pytest.mark.parametrize('split', ['train', 'val'])
def test_mmpretrains_unchanged_config_reads_every_image_with_its_class(root, split):
    register_all_modules(init_default_scope=False)
    base = Path(mmpretrain.__file__).parent / '.mim' / 'configs' / '_base_' / 'datasets'
    config = Config.fromfile(base / 'imagenet_bs32.py')
    settings = config[f'{split}_dataloader'].dataset
    settings.data_root = str(root / 'Data' / 'CLS-LOC')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(settings)
    found = {
        Path(info['img_path']): SYNSETS[info['gt_label']]
        for info in map(dataset.get_data_info, range(len(dataset)))
    }
    expected = {
        image_path(root, split, name, synset): synset
        for name, (synset, _) in DRAWN[split].items()
    }
    assert found == expected
    assert dataset[0]['inputs'].shape == (3, 224, 224)


def test_folders_read_in_sorted_order_give_the_same_labels(root):
    by_folder = CustomDataset(data_prefix=str(root / 'Data' / 'CLS-LOC' / 'train'))
    lines = (root / 'Data' / 'CLS-LOC' / 'meta' / 'train.txt').read_text().split('\n')
    listed = dict(line.split(' ') for line in lines if line)
    assert len(by_folder) == len(listed)
    for info in map(by_folder.get_data_info, range(len(by_folder))):
        name = '/'.join(Path(info['img_path']).parts[-2:])
        assert int(listed[name]) == info['gt_label']


@pytest.mark.parametrize('split', ['train', 'val'])
def test_the_annotations_hold_exactly_the_drawn_boxes_from_pixel_0(root, split):
    folder = root / 'Annotations' / 'CLS-LOC' / split
    assert len(list(folder.rglob('*.xml'))) == SIZES[split]
    for name, (synset, scene) in DRAWN[split].items():
        path = folder / (synset if split == 'train' else '') / f'{name}.xml'
        tree = ElementTree.parse(path).getroot()
        assert tree.findtext('filename') == name
        assert tree.findtext('folder') == (synset if split == 'train' else 'val')
        size = [int(tree.findtext(f'size/{key}')) for key in ('height', 'width')]
        assert size == list(scene.image.shape[:2])
        boxes, flags = [], []
        for item in tree.findall('object'):
            assert item.findtext('name') == synset
            corners = ('xmin', 'ymin', 'xmax', 'ymax')
            boxes.append(tuple(int(item.findtext(f'bndbox/{key}')) for key in corners))
            keys = ('truncated', 'difficult')
            flags.append(tuple(int(item.findtext(key)) for key in keys))
        assert boxes == [item.box for item in scene.objects]
        assert flags == [
            (item.is_truncated, item.is_difficult) for item in scene.objects
        ]


def test_a_difficult_object_is_marked(tmp_path, monkeypatch):
    """Images of one class have hardly any: the first object is declared one here."""

    def draw_difficult(*args):
        scene = draw_single_class(*args)
        first = replace(scene.objects[0], is_difficult=True)
        return replace(scene, objects=(first, *scene.objects[1:]))

    monkeypatch.setattr(imagenet_loc, 'draw_single_class', draw_difficult)
    counts = imagenet_loc.write(tmp_path, {'val': 8}, SEED)
    assert counts['val']['difficult'] == 8 < counts['val']['instances']
    for path in (tmp_path / 'Annotations' / 'CLS-LOC' / 'val').iterdir():
        flags = [item.text for item in ElementTree.parse(path).iter('difficult')]
        assert flags == ['1'] + ['0'] * (len(flags) - 1)


def test_boxes_touch_the_pixels_of_their_objects_on_all_sides():
    """The convention, from the pixels: 0-based and inclusive at both ends."""
    for _, scene in list(DRAWN['train'].values())[:8]:
        for number, item in enumerate(scene.objects, 1):
            ys, xs = np.nonzero(scene.instances == number)
            assert item.box == (xs.min(), ys.min(), xs.max(), ys.max())


@pytest.mark.parametrize('split', ['train', 'val'])
def test_each_file_shows_its_scene(root, split):
    for name, (synset, scene) in DRAWN[split].items():
        image = cv2.imread(str(image_path(root, split, name, synset)))[:, :, ::-1]
        assert image.shape == scene.image.shape
        assert np.abs(image.astype(int) - scene.image).mean() < 10


def test_the_image_sets_number_all_images_from_1(root):
    sets = root / 'ImageSets' / 'CLS-LOC'
    train = sorted(f'{name.split("_")[0]}/{name}' for name in DRAWN['train'])
    expected = {
        'train_cls': train,
        'train_loc': train,
        'val': sorted(DRAWN['val']),
    }
    for name, images in expected.items():
        lines = (sets / f'{name}.txt').read_text().splitlines()
        assert lines == [f'{image} {i}' for i, image in enumerate(images, 1)]


@pytest.mark.parametrize('split', ['train', 'val'])
def test_the_solution_table_repeats_synset_and_box_of_each_object(root, split):
    with open(root / f'LOC_{split}_solution.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert sorted(row['ImageId'] for row in rows) == sorted(DRAWN[split])
    for row in rows:
        synset, scene = DRAWN[split][row['ImageId']]
        words = row['PredictionString'].split()
        assert words[::5] == [synset] * len(scene.objects)
        boxes = [tuple(map(int, words[i + 1 : i + 5])) for i in range(0, len(words), 5)]
        assert boxes == [item.box for item in scene.objects]


def test_the_mapping_lists_the_synsets_in_the_order_of_the_labels(root):
    lines = (root / 'LOC_synset_mapping.txt').read_text().splitlines()
    assert [line.split(' ', 1)[0] for line in lines] == SYNSETS
    assert [line.split(' ', 1)[1].replace(' ', '_') for line in lines] == [
        KEYS[synset] for synset in SYNSETS
    ]


def test_the_attributes_count_the_objects_of_each_image(root):
    for split, images in DRAWN.items():
        lines = (root / f'attributes_{split}.jsonl').read_text().splitlines()
        counts = {r['image_id']: r['num_objects'] for r in map(json.loads, lines)}
        assert counts == {
            name: len(scene.objects) for name, (_, scene) in images.items()
        }
        assert len(set(counts.values())) > 1


def test_a_class_without_an_image_keeps_its_folder_and_so_the_labels(tmp_path):
    imagenet_loc.write(tmp_path, {'train': 1}, SEED)
    folders = [
        path.name for path in (tmp_path / 'Data' / 'CLS-LOC' / 'train').iterdir()
    ]
    assert sorted(folders) == SYNSETS


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"splits \['train', 'val'\], got \['test'\]"):
        imagenet_loc.write(tmp_path, {'test': 1}, SEED)
