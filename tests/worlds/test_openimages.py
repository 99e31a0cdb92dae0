"""OpenImages, read by mmdet's two readers with mmdet's own configs.

What must come out is drawn again here (``draw_scene`` on the stream that the contract
of ``world`` names); nothing expected comes from the writer but the ids of the images,
and a test compares the pixels under each id with the scene.
"""

from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest
from mmdet.datasets import OpenImagesDataset
from mmdet.evaluation import OpenImagesMetric
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdetxfer.worlds import openimages
from mmdetxfer.worlds.categories import category_of
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.writing import stream_seed

SEED = 3
SIZES = {'train': 40, 'val': 12}
SUBSETS = {'train': 'train', 'val': 'validation'}
CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'openimages'
V4_CONFIG = CONFIGS / 'faster-rcnn_r50_fpn_32xb2-1x_openimages.py'
CHALLENGE_CONFIG = CONFIGS / 'faster-rcnn_r50_fpn_32xb2-1x_openimages-challenge.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'OpenImages'
    counts = openimages.write(folder, SIZES, SEED)
    for split, scenes in DRAWN.items():
        objects = [item for scene in scenes.values() for item in scene.objects]
        assert counts[split] == dict(
            images=SIZES[split],
            images_with_objects=SIZES[split],
            instances=len(objects),
            difficult=sum(item.is_difficult for item in objects),
            crowds=sum(item.is_crowd for item in objects),
        )
    return folder


def draw_again(split):
    stream = stream_seed(SEED, 'openimages', split)
    return {
        openimages.image_id(stream, index): draw_scene(stream, index, 'source')
        for index in range(SIZES[split])
    }


DRAWN = {split: draw_again(split) for split in SIZES}


def host_dataset(config, loader, root):
    register_all_modules(init_default_scope=False)
    settings = Config.fromfile(config)[loader].dataset
    settings.data_root = f'{root}/'
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(settings)


def drawn_instances(scene):
    """Name, box as mmdet has it (x2 and y2 exclusive) and flags of each object."""
    return [
        (
            category_of(item.category).openimages_name,
            (item.box[0], item.box[1], item.box[2] + 1, item.box[3] + 1),
            item.is_crowd,
        )
        for item in scene.objects
    ]


def read_instances(info, names, group_key):
    return [
        (names[item['bbox_label']], tuple(item['bbox']), item[group_key])
        for item in info['instances']
    ]


def assert_same_instances(found, expected):
    assert [item[0] for item in found] == [item[0] for item in expected]
    assert [item[2] for item in found] == [item[2] for item in expected]
    # Six decimals of at most 384 pixels.
    boxes = [[item[1] for item in items] for items in (found, expected)]
    np.testing.assert_allclose(boxes[0], boxes[1], atol=3e-4)


@pytest.mark.parametrize(
    ('config', 'group_key'),
    [(V4_CONFIG, 'is_group_of'), (CHALLENGE_CONFIG, 'is_group_ofs')],
    ids=['V4', 'challenge'],
)
@pytest.mark.parametrize('split', ['train', 'val'])
def test_mmdets_unchanged_configs_read_every_drawn_instance(
    root, config, group_key, split
):
    dataset = host_dataset(config, f'{split}_dataloader', root)
    names = dataset.metainfo['classes']
    infos = {
        info['img_id']: info for info in map(dataset.get_data_info, range(len(dataset)))
    }
    assert sorted(infos) == sorted(DRAWN[split])
    for name, scene in DRAWN[split].items():
        assert (infos[name]['height'], infos[name]['width']) == scene.image.shape[:2]
        found = read_instances(infos[name], names, group_key)
        assert_same_instances(found, drawn_instances(scene))


def test_groups_truncated_and_occluded_objects_occur_and_carry_their_flags(root):
    dataset = host_dataset(V4_CONFIG, 'train_dataloader', root)
    flags = {'is_group_of': set(), 'is_truncated': set(), 'is_occluded': set()}
    for info in map(dataset.get_data_info, range(len(dataset))):
        objects = DRAWN['train'][info['img_id']].objects
        for found, item in zip(info['instances'], objects, strict=True):
            assert found['is_group_of'] == item.is_crowd
            assert found['is_truncated'] == item.is_truncated
            assert found['is_occluded'] == (item.occluded_share >= 0.01)
            for key in flags:
                flags[key].add(found[key])
    assert all(values == {True, False} for values in flags.values()), flags


def test_the_image_under_each_id_is_the_scene_and_mmdets_pipeline_loads_it(root):
    dataset = host_dataset(V4_CONFIG, 'val_dataloader', root)
    for position in range(len(dataset)):
        info = dataset.get_data_info(position)
        image = cv2.imread(info['img_path'])[:, :, ::-1].astype(int)
        errors = [
            np.abs(image - scene.image).mean()
            if image.shape == scene.image.shape
            else 99
            for scene in DRAWN['val'].values()
        ]
        assert list(DRAWN['val'])[int(np.argmin(errors))] == info['img_id']
        assert min(errors) < 10
        sample = dataset[position]['data_samples']
        assert len(sample.gt_instances) == len(DRAWN['val'][info['img_id']].objects)


def test_the_challenges_paths_lie_under_the_prefix_of_mmdets_validation_loader(root):
    dataset = host_dataset(CHALLENGE_CONFIG, 'val_dataloader', root)
    assert all(
        Path(dataset.get_data_info(position)['img_path']).is_file()
        for position in range(len(dataset))
    )


@pytest.mark.parametrize('config', [V4_CONFIG, CHALLENGE_CONFIG], ids=['V4', '500'])
def test_image_level_labels_name_all_present_and_three_absent_classes(root, config):
    dataset = host_dataset(config, 'val_dataloader', root)
    names = dataset.metainfo['classes']
    all_absent = set()
    for info in map(dataset.get_data_info, range(len(dataset))):
        objects = DRAWN['val'][info['img_id']].objects
        present = {category_of(item.category).openimages_name for item in objects}
        found = dict(
            zip(
                [names[label] for label in info['image_level_labels']],
                info['confidences'].tolist(),
                strict=True,
            )
        )
        assert {name for name, value in found.items() if value == 1} == present
        absent = {name for name, value in found.items() if value == 0}
        assert len(absent) == 3 and not absent & present
        all_absent |= absent
    # They are not the same three for every image.
    assert len(all_absent) > 8


def test_the_drawn_boxes_as_predictions_get_an_ap_of_1_by_mmdets_metric(root):
    """Also the super-categories: mmdet adds Vehicle and Animal from the hierarchy."""
    import torch

    dataset = host_dataset(V4_CONFIG, 'val_dataloader', root)
    metric = OpenImagesMetric()
    metric.dataset_meta = dataset.metainfo
    for info in map(dataset.get_data_info, range(len(dataset))):
        boxes = torch.tensor([item['bbox'] for item in info['instances']])
        labels = torch.tensor([item['bbox_label'] for item in info['instances']])
        predicted = dict(bboxes=boxes, labels=labels, scores=torch.ones(len(labels)))
        sample = dict(
            instances=info['instances'],
            image_level_labels=info['image_level_labels'],
            pred_instances=predicted,
        )
        metric.process({}, [sample])
    assert metric.evaluate(len(dataset))['openimages/AP50'] == 1.0


def test_mmdets_two_readers_see_the_same_relation_of_the_500_classes(root):
    """V4's comes from the JSON tree, the challenge's from class_label_tree.np."""
    v4 = host_dataset(V4_CONFIG, 'train_dataloader', root)
    challenge = host_dataset(CHALLENGE_CONFIG, 'train_dataloader', root)
    mids = {number: mid for mid, number in challenge.label_id_mapping.items()}
    order = [v4.label_id_mapping[mids[number]] for number in range(500)]
    expected = v4.metainfo['RELATION_MATRIX'][np.ix_(order, order)]
    np.testing.assert_array_equal(challenge.metainfo['RELATION_MATRIX'], expected)
    car, vehicle = (
        v4.metainfo['classes'].index(name) for name in ('Car', 'Land vehicle')
    )
    assert v4.metainfo['RELATION_MATRIX'][car, vehicle] == 1
    assert v4.metainfo['RELATION_MATRIX'][vehicle, car] == 0


def test_an_image_without_an_object_is_in_no_table_that_mmdet_reads(
    tmp_path, monkeypatch
):
    """mmdet's reader pairs sizes with rows of boxes; an image in one only stops it."""

    def draw_empty_second(stream, index, domain):
        scene = draw_scene(stream, index, domain)
        if index != 1:
            return scene
        return type(scene)(scene.image, scene.instances * 0, (), scene.kind)

    monkeypatch.setattr(openimages, 'draw_scene', draw_empty_second)
    counts = openimages.write(tmp_path, {'train': 3}, SEED)
    assert (counts['train']['images'], counts['train']['images_with_objects']) == (3, 2)
    for config in (V4_CONFIG, CHALLENGE_CONFIG):
        assert len(host_dataset(config, 'train_dataloader', tmp_path)) == 2
    table = tmp_path / 'annotations' / 'train-images-boxable-with-rotation.csv'
    assert len(table.read_text().splitlines()) == 1 + 3


def test_only_mmdets_image_sizes_are_pickles(root):
    """The label tree loads without pickling, which mmdet's reader would allow."""
    tree = np.load(root / 'challenge2019' / 'class_label_tree.np', allow_pickle=False)
    assert tree.shape == (501, 501)
    assert isinstance(
        host_dataset(V4_CONFIG, 'val_dataloader', root), OpenImagesDataset
    )
    pickles = [path.name for path in root.rglob('*.pkl')]
    assert sorted(pickles) == [
        'challenge-2019-train-metas.pkl',
        'challenge-2019-validation-metas.pkl',
        'train-image-metas.pkl',
        'validation-image-metas.pkl',
    ]
