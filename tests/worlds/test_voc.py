"""The VOC devkit, read by mmdet and mmseg with unchanged configs, against scenes drawn.

Expected values come from the scenes, drawn again here; nothing of the writer is used
but its files. The hosts are told where the devkit is, and nothing else.
"""

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import mmdet
import mmseg
import numpy as np
import pytest
from mmdet.registry import DATASETS as DET_DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS as SEG_DATASETS

from mmdetxfer.worlds import voc
from mmdetxfer.worlds.categories import category_of
from mmdetxfer.worlds.palette_png import voc_palette
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.writing import stream_seed

SEED = 8
SIZES = dict(
    voc2007=dict(train=7, val=6, test=9),
    voc2012=dict(train=8, val=6),
)
WRITERS = dict(voc2007=voc.write_voc2007, voc2012=voc.write_voc2012)


def draw_again(name, split):
    stream = stream_seed(SEED, name, split)
    return [draw_scene(stream, i, 'target') for i in range(SIZES[name][split])]


SCENES = {
    name: {split: draw_again(name, split) for split in splits}
    for name, splits in SIZES.items()
}


@pytest.fixture(scope='module')
def devkit(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'VOCdevkit'
    for name, sizes in SIZES.items():
        counts = WRITERS[name](folder / name.upper(), sizes, SEED)
        for split, scenes in SCENES[name].items():
            objects = [item for scene in scenes for item in scene.objects]
            all_of_val = (name, split) == ('voc2012', 'val')
            assert counts[split] == dict(
                images=len(scenes),
                instances=len(objects),
                difficult=sum(item.is_difficult for item in objects),
                crowds=sum(item.is_crowd for item in objects),
                segmented=len(scenes) if all_of_val else (len(scenes) + 1) // 2,
            )
    return folder


def host_config(package, path, devkit):
    """Return a host's config with another root, which it hands on to its data sets."""
    configs = Path(package.__file__).parent / '.mim' / 'configs'
    text = (configs / path).read_text()
    old = [line for line in text.splitlines() if line.startswith('data_root = ')]
    assert len(old) == 1
    text = text.replace(old[0], f'data_root = {str(devkit)!r}')
    return Config.fromstring(text, '.py')


def build(registry, scope, config):
    with DefaultScope.overwrite_default_scope(scope):
        return registry.build(config)


def read_instances(dataset):
    """Return sorted (label, box, ignored) of every image of a mmdet data set."""
    return [
        sorted(
            (item['bbox_label'], tuple(item['bbox']), item['ignore_flag'])
            for item in dataset.get_data_info(index)['instances']
        )
        for index in range(len(dataset))
    ]


def drawn_instances(scenes, smallest_side=0):
    """Return the same of scenes; sides are those of mmdet, x2 - x1."""
    classes = mmdet.datasets.VOCDataset.METAINFO['classes']
    wanted = []
    for scene in scenes:
        instances = []
        for item in scene.objects:
            x1, y1, x2, y2 = item.box
            too_small = min(x2 - x1, y2 - y1) < smallest_side
            label = classes.index(category_of(item.category).voc)
            instances.append((label, item.box, int(item.is_difficult or too_small)))
        wanted.append(sorted(instances))
    return wanted


def test_mmdet_trains_on_every_drawn_instance_of_both_years(devkit):
    """voc0712.py: 3 times trainval of both years; boxes under 32 px are ignored."""
    config = host_config(mmdet, '_base_/datasets/voc0712.py', f'{devkit}/')

    dataset = build(DET_DATASETS, 'mmdet', config.train_dataloader.dataset)

    scenes = [
        scene
        for name in ('voc2007', 'voc2012')
        for split in ('train', 'val')
        for scene in SCENES[name][split]
    ]
    assert len(dataset) == 3 * len(scenes)
    read = read_instances(dataset)
    assert read[: len(scenes)] == drawn_instances(scenes, smallest_side=32)
    ignored = {flag for image in read for _, _, flag in image}
    assert ignored == {0, 1}


def test_mmdet_tests_on_every_drawn_instance_of_2007(devkit):
    config = host_config(mmdet, '_base_/datasets/voc0712.py', f'{devkit}/')

    dataset = build(DET_DATASETS, 'mmdet', config.test_dataloader.dataset)

    assert dataset.metainfo['dataset_type'] == 'VOC2007'
    assert read_instances(dataset) == drawn_instances(SCENES['voc2007']['test'])
    for index, scene in enumerate(SCENES['voc2007']['test']):
        info = dataset.get_data_info(index)
        assert (info['height'], info['width']) == scene.instances.shape
        assert cv2.imread(info['img_path']).shape == scene.image.shape


def expected_segmentation(scene):
    """Return class numbers with void, written without the writer's functions.

    Void is where the 8 neighbours inside the image show another object, and a difficult
    object as a whole.
    """
    classes = ('background', *mmdet.datasets.VOCDataset.METAINFO['classes'])
    height, width = scene.instances.shape
    expected = np.zeros((height, width), int)
    for number, item in enumerate(scene.objects, 1):
        label = classes.index(category_of(item.category).voc)
        here = scene.instances == number
        expected[here] = 255 if item.is_difficult else label
    padded = np.pad(scene.instances, 1, mode='edge')
    for down in range(3):
        for across in range(3):
            moved = padded[down : down + height, across : across + width]
            expected[moved != scene.instances] = 255
    return expected


@pytest.mark.parametrize(
    ('loader', 'split', 'step'), [('train', 'train', 2), ('val', 'val', 1)]
)
def test_mmseg_reads_the_drawn_classes_with_void(devkit, loader, split, step):
    """VOC2012 segments every other training image and all of val."""
    root = devkit / 'VOC2012'
    config = host_config(mmseg, '_base_/datasets/pascal_voc12.py', root)
    config[f'{loader}_dataloader'].dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
    ]

    dataset = build(SEG_DATASETS, 'mmseg', config[f'{loader}_dataloader'].dataset)

    scenes = SCENES['voc2012'][split][::step]
    assert len(dataset) == len(scenes)
    for index, scene in enumerate(scenes):
        sample = dataset[index]
        assert sample['img'].shape == scene.image.shape
        assert (sample['gt_seg_map'] == expected_segmentation(scene)).all()


def test_object_segmentations_number_the_objects_of_the_annotation(devkit):
    root = devkit / 'VOC2007'
    ids = (root / 'ImageSets' / 'Segmentation' / 'test.txt').read_text().split()
    scenes = SCENES['voc2007']['test'][::2]

    assert len(ids) == len(scenes)
    palette = {tuple(colour): n for n, colour in enumerate(voc_palette())}
    for image_id, scene in zip(ids, scenes, strict=True):
        colours = cv2.imread(str(root / 'SegmentationObject' / f'{image_id}.png'))
        numbers = np.array(
            [palette[tuple(colour)] for colour in colours[..., ::-1].reshape(-1, 3)]
        ).reshape(scene.instances.shape)
        void = expected_segmentation(scene) == 255
        assert (numbers[void] == 255).all()
        assert (numbers[~void] == scene.instances[~void]).all()


def test_annotations_have_flags_and_corners_counted_from_1(devkit):
    objects = 0
    for name in SIZES:
        root = devkit / name.upper()
        scenes = [scene for split in SIZES[name] for scene in SCENES[name][split]]
        files = sorted((root / 'Annotations').iterdir())
        assert len(files) == len(scenes)
        for file, scene in zip(files, scenes, strict=True):
            tree = ElementTree.parse(file)
            assert tree.findtext('folder') == name.upper()
            assert tree.findtext('filename') == f'{file.stem}.jpg'
            assert len(tree.findall('object')) == len(scene.objects)
            for found, item in zip(tree.iter('object'), scene.objects, strict=True):
                flags = [
                    int(found.findtext(flag))
                    for flag in ('truncated', 'occluded', 'difficult')
                ]
                assert flags == [
                    item.is_truncated,
                    item.occlusion > 0,
                    item.is_difficult,
                ]
                corners = [int(side.text) - 1 for side in found.find('bndbox')]
                assert tuple(corners) == item.box
                objects += 1
    assert objects > 100


def test_lists_of_a_class_tell_present_absent_and_difficult(devkit):
    """1 if one object is not difficult, 0 if all of them are, -1 if there is none."""
    root = devkit / 'VOC2012' / 'ImageSets' / 'Main'
    scenes = SCENES['voc2012']['train'] + SCENES['voc2012']['val']
    seen = set()
    for name in mmdet.datasets.VOCDataset.METAINFO['classes']:
        lines = (root / f'{name}_trainval.txt').read_text().splitlines()
        assert len(lines) == len(scenes)
        for number, (line, scene) in enumerate(zip(lines, scenes, strict=True), 1):
            mine = [
                item.is_difficult
                for item in scene.objects
                if category_of(item.category).voc == name
            ]
            label = -1 if not mine else int(not all(mine))
            assert line == f'2012_{number:06d} {label:2d}'
            seen.add(label)
    assert {-1, 1} <= seen


def test_trainval_is_train_and_val(devkit):
    for kind in ('Main', 'Segmentation'):
        folder = devkit / 'VOC2007' / 'ImageSets' / kind
        lists = {
            name: (folder / f'{name}.txt').read_text().split()
            for name in ('train', 'val', 'trainval', 'test')
        }
        assert lists['trainval'] == lists['train'] + lists['val']
        assert len(set(lists['trainval'] + lists['test'])) == sum(
            len(lists[name]) for name in ('train', 'val', 'test')
        )


def test_attributes_tell_what_the_annotations_cannot(devkit):
    path = devkit / 'VOC2007' / 'attributes_test.jsonl'
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    for line, scene in zip(lines, SCENES['voc2007']['test'], strict=True):
        assert (devkit / 'VOC2007' / 'Annotations' / f'{line["image_id"]}.xml').exists()
        assert line['num_objects'] == len(scene.objects)
        for found, item in zip(line['objects'], scene.objects, strict=True):
            assert found['outline'] == category_of(item.category).outline
            assert found['texture_family'] == category_of(item.category).texture_family
            assert found['scale_px'] == pytest.approx(item.scale_px)
            assert found['occlusion'] == item.occlusion
            assert tuple(found['full_box']) == item.full_box
