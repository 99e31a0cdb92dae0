"""COCO, read by mmdet with its unchanged config and by pycocotools, against scenes."""

import json
from itertools import chain
from pathlib import Path

import cv2
import mmdet
import pytest
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from pycocotools.coco import COCO

from mmdetxfer.worlds import coco
from mmdetxfer.worlds.categories import category_of
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.writing import stream_seed

SEED = 12
SIZES = dict(train=24, val=9)
CLASSES = CocoDataset.METAINFO['classes']


def draw_again(split, domain='source'):
    stream = stream_seed(SEED, 'coco', split)
    return [draw_scene(stream, index, domain) for index in range(SIZES[split])]


SCENES = {split: draw_again(split) for split in SIZES}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'coco'
    counts = coco.write(folder, SIZES, SEED)
    for split, scenes in SCENES.items():
        objects = [item for scene in scenes for item in scene.objects]
        assert counts[split]['images'] == len(scenes)
        assert counts[split]['instances'] == len(objects)
        assert counts[split]['crowds'] == sum(item.is_crowd for item in objects)
    return folder


def build(root, loader):
    """Build a data set of mmdet's coco_instance.py; only the root is another."""
    configs = Path(mmdet.__file__).parent / '.mim' / 'configs'
    text = (configs / '_base_' / 'datasets' / 'coco_instance.py').read_text()
    assert text.count("data_root = 'data/coco/'") == 1
    text = text.replace("data_root = 'data/coco/'", f'data_root = "{root}/"')
    config = Config.fromstring(text, '.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(config[loader].dataset)


@pytest.mark.parametrize(
    ('loader', 'split'), [('train_dataloader', 'train'), ('val_dataloader', 'val')]
)
def test_mmdet_reads_every_drawn_instance_box_label_and_crowd(root, loader, split):
    dataset = build(root, loader)

    assert len(dataset) == len(SCENES[split])
    for index, scene in enumerate(SCENES[split]):
        info = dataset.get_data_info(index)
        assert (info['height'], info['width']) == scene.instances.shape
        assert cv2.imread(info['img_path']).shape == scene.image.shape
        found = [
            (item['bbox_label'], tuple(item['bbox']), item['ignore_flag'])
            for item in info['instances']
        ]
        wanted = []
        for item in scene.objects:
            x1, y1, x2, y2 = item.box
            label = CLASSES.index(category_of(item.category).coco)
            wanted.append((label, (x1, y1, x2 + 1, y2 + 1), int(item.is_crowd)))
        assert found == wanted


def test_there_are_crowds_among_the_drawn_objects():
    """Or the test above would say nothing about them."""
    scenes = chain(*SCENES.values())

    assert any(item.is_crowd for scene in scenes for item in scene.objects)


def test_masks_are_the_visible_pixels(root):
    for split, scenes in SCENES.items():
        reader = COCO(root / 'annotations' / f'instances_{split}2017.json')
        for image_id, scene in zip(reader.getImgIds(), scenes, strict=True):
            annotations = reader.loadAnns(reader.getAnnIds(imgIds=image_id))
            for number, annotation in enumerate(annotations, 1):
                mask = scene.instances == number
                assert (reader.annToMask(annotation) == mask).all()
                assert annotation['area'] == mask.sum()
                is_runs = isinstance(annotation['segmentation'], dict)
                assert is_runs == scene.objects[number - 1].is_crowd


def test_categories_are_the_80_of_coco_in_its_order(root):
    """Ids from COCO 2017: 80 of 90 numbers, the last toothbrush."""
    path = root / 'annotations' / 'instances_train2017.json'
    categories = json.loads(path.read_text())['categories']
    ids = [entry['id'] for entry in categories]

    assert tuple(entry['name'] for entry in categories) == CLASSES
    assert ids == sorted(set(ids)) and len(ids) == 80
    missing = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    assert set(range(1, 91)) - set(ids) == missing
    assert len({entry['supercategory'] for entry in categories}) == 12


def test_ids_count_from_1_through_both_splits(root):
    images, annotations = [], []
    for split in SIZES:
        path = root / 'annotations' / f'instances_{split}2017.json'
        content = json.loads(path.read_text())
        images += [entry['id'] for entry in content['images']]
        annotations += [entry['id'] for entry in content['annotations']]

    assert images == list(range(1, sum(SIZES.values()) + 1))
    assert annotations == list(range(1, len(annotations) + 1))


def test_the_target_domain_can_be_written_as_coco(tmp_path):
    coco.write_target(tmp_path, SIZES, SEED)

    for split in SIZES:
        path = tmp_path / 'annotations' / f'instances_{split}2017.json'
        content = json.loads(path.read_text())
        names = {entry['id']: entry['name'] for entry in content['categories']}
        drawn = [
            category_of(item.category).coco
            for scene in draw_again(split, 'target')
            for item in scene.objects
        ]
        assert [names[a['category_id']] for a in content['annotations']] == drawn


def test_attributes_name_images_by_their_id(root):
    lines = (root / 'attributes_val.jsonl').read_text().splitlines()

    ids = [json.loads(line)['image_id'] for line in lines]
    first = SIZES['train'] + 1
    assert ids == [str(number) for number in range(first, first + SIZES['val'])]
