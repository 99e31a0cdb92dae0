"""OpenImages in columns against mmdet's own readers, on the embedded world."""

import copy
import os
import pickle
import shutil

import numpy as np
import pytest
from mmdet.datasets import OpenImagesChallengeDataset, OpenImagesDataset
from mmdet.evaluation import OpenImagesMetric
from toy_boxes import write_image

from mmdetxfer.datasets import ChipDataset, ColumnarOpenImagesDataset
from mmdetxfer.datasets.box_columns import box_table
from mmdetxfer.errors import UserError
from mmdetxfer.worlds import openimages

V4 = dict(
    ann_file='annotations/train-annotations-bbox.csv',
    label_file='annotations/class-descriptions-boxable.csv',
    hierarchy_file='annotations/bbox_labels_600_hierarchy.json',
    image_level_ann_file='annotations/train-annotations-human-imagelabels-boxable.csv',
    data_prefix=dict(img='OpenImages/train/'),
)
CHALLENGE = dict(
    ann_file='challenge2019/challenge-2019-train-detection-bbox.csv',
    label_file='challenge2019/challenge-2019-classes-description-500.csv',
    hierarchy_file='challenge2019/challenge-2019-label500-hierarchy.json',
    image_level_ann_file=(
        'challenge2019/challenge-2019-train-detection-human-imagelabels.csv'
    ),
    data_prefix=dict(img='OpenImages/train/'),
)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'OpenImages'
    openimages.write(folder, {'train': 40}, 3)
    return folder


def ours(root, files=V4, **options):
    cache = str(root.parent / 'cache')
    return ColumnarOpenImagesDataset(
        data_root=str(root), cache_dir=cache, **{**files, **options}
    )


def theirs(root, files=V4):
    if files is V4:
        return OpenImagesDataset(
            data_root=str(root), meta_file='annotations/train-image-metas.pkl', **files
        )
    own = dict(
        ann_file='challenge2019/challenge-2019-train-detection-bbox.txt',
        label_file='challenge2019/cls-label-description.csv',
        hierarchy_file='challenge2019/class_label_tree.np',
        meta_file='challenge2019/challenge-2019-train-metas.pkl',
        data_prefix=dict(img='OpenImages/'),
    )
    return OpenImagesChallengeDataset(data_root=str(root), **{**files, **own})


@pytest.mark.parametrize('files', [V4, CHALLENGE], ids=['V4', 'challenge'])
def test_items_are_those_of_mmdet(root, files):
    """But for groups, which are ignored here, and rounding of 32-bit corners."""
    mine, other = ours(root, files), theirs(root, files)
    assert len(mine) == len(other) == 40
    assert list(mine.metainfo['classes']) == list(other.metainfo['classes'])
    assert mine.metainfo['dataset_type'] == other.metainfo['dataset_type']
    matrices = [one.metainfo['RELATION_MATRIX'] for one in (mine, other)]
    assert np.array_equal(*matrices) and matrices[0].sum() > len(matrices[0])
    num_groups = 0
    for index in range(40):
        own, expected = mine.get_data_info(index), other.get_data_info(index)
        for key in ('img_id', 'img_path', 'width', 'height'):
            assert own[key] == expected[key]
        for key in ('image_level_labels', 'confidences'):
            np.testing.assert_array_equal(own[key], expected[key])
        pairs = zip(own['instances'], expected['instances'], strict=True)
        for box, other_box in pairs:
            np.testing.assert_allclose(box['bbox'], other_box['bbox'], atol=1e-3)
            assert box['bbox_label'] == other_box['bbox_label']
            # mmdet's reader of the challenge calls it is_group_ofs.
            named = {'is_group_of' if 'group' in k else k: v for k, v in box.items()}
            shared = [k for k in other_box if k.startswith('is_') and 'group' not in k]
            assert all(named[k] == other_box[k] for k in shared)
            is_group = other_box.get('is_group_of', other_box.get('is_group_ofs'))
            assert box['is_group_of'] == is_group == bool(box['ignore_flag'])
            num_groups += is_group
        assert mine.get_cat_ids(index) == [i['bbox_label'] for i in own['instances']]
    assert num_groups > 0


def metric_of(dataset, files):
    """Score moved copies of some boxes by mmdet's metric, with its V4 items."""
    import torch

    metric = OpenImagesMetric(
        iou_thrs=0.5,
        ioa_thrs=0.5,
        use_group_of=True,
        get_supercategory=True,
        filter_labels=True,
    )
    metric.dataset_meta = dataset.metainfo
    rng = np.random.default_rng(0)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        kept = [one for one in info['instances'] if rng.random() < 0.7]
        boxes = np.array([one['bbox'] for one in kept]).reshape(-1, 4)
        boxes = boxes + rng.normal(0, 3, boxes.shape)
        found = dict(
            bboxes=torch.tensor(boxes, dtype=torch.float32),
            scores=torch.tensor(rng.random(len(kept)), dtype=torch.float32),
            labels=torch.tensor([one['bbox_label'] for one in kept], dtype=torch.long),
        )
        sample = dict(
            instances=copy.deepcopy(info['instances']),
            image_level_labels=info['image_level_labels'],
            pred_instances=found,
        )
        metric.process({}, [sample])
    return metric.evaluate(len(dataset))['openimages/mAP']


def test_mmdets_metric_scores_alike(root):
    mine = metric_of(ours(root), V4)
    assert mine == pytest.approx(metric_of(theirs(root), V4), abs=1e-3)
    assert 0.2 < mine < 0.95


def test_mmdets_metric_takes_the_challenge_too(root):
    """mmdet's own reader of it fails there: KeyError is_group_of."""
    assert 0.2 < metric_of(ours(root, CHALLENGE), CHALLENGE) < 0.95
    with pytest.raises(KeyError, match='is_group_of'):
        metric_of(theirs(root, CHALLENGE), CHALLENGE)


class ItemByItem:
    """A reader without columns."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def get_data_info(self, index):
        return self.dataset.get_data_info(index)


@pytest.mark.parametrize('options', [{}, dict(indices=[3, 8, 9])], ids=['all', 'some'])
def test_the_table_of_boxes_is_that_of_the_items(root, options):
    dataset = ours(root, **options)
    chips = ChipDataset(
        dataset, dict(scales=[(-1, 64)], valid_ranges=[(-1, -1)], chip_px=64), []
    )
    mine, other = chips.box_table(), box_table(ItemByItem(dataset))
    assert len(mine) == len(dataset)
    for name in ('widths', 'heights', 'keys', 'offsets', 'kinds'):
        column = getattr(mine, name)
        assert np.array_equal(column, getattr(other, name)), name
    np.testing.assert_allclose(mine.boxes, other.boxes, atol=1e-3)


def test_another_process_maps_the_columns_again(root):
    dataset = ours(root)
    assert not {'_boxes', '_image_labels'} & dataset.__getstate__().keys()
    again = pickle.loads(pickle.dumps(dataset))
    assert isinstance(again._boxes['corners'], np.memmap)
    assert again.get_data_info(5)['instances'] == dataset.get_data_info(5)['instances']
    lazy = pickle.loads(pickle.dumps(ours(root, lazy_init=True)))
    assert len(lazy) == 40


def test_small_images_are_left_out_of_training_only(root):
    sizes = ours(root).sizes.min(1)
    limit = int(np.median(sizes)) + 1
    filtered = dict(filter_cfg=dict(min_size=limit))
    assert len(ours(root, **filtered)) == (sizes >= limit).sum() < 40
    assert len(ours(root, test_mode=True, **filtered)) == 40


def test_missing_images_are_an_error_or_left_out(root, tmp_path):
    some = tmp_path / 'some'
    some.mkdir()
    present = sorted((root / 'OpenImages' / 'train').iterdir())[:30]
    for path in present:
        (some / path.name).symlink_to(path)
    prefix = dict(data_prefix=dict(img=str(some)))
    with pytest.raises(UserError, match='10 of 40 images .* have no readable file'):
        ours(root, **prefix)
    dataset = ours(root, **prefix, drop_missing_images=True)
    ids = {dataset.get_data_info(k)['img_id'] for k in range(len(dataset))}
    assert ids == {path.stem for path in present}
    assert len(dataset.box_columns().offsets) == 31


def test_sizes_come_from_a_file_if_one_is_named(root, tmp_path):
    ids = [one.decode() for one in ours(root)._boxes['image_ids']]
    rows = [f'{one},{200 + k},100' for k, one in enumerate(ids)]
    path = tmp_path / 'sizes.csv'
    path.write_text('\n'.join(['ImageID,Width,Height', *rows]))
    info = ours(root, size_file=str(path)).get_data_info(7)
    assert (info['width'], info['height']) == (207, 100)
    relative = ours(root).get_data_info(7)
    scale = 207 / relative['width']
    left, mine = relative['instances'][0]['bbox'][0], info['instances'][0]['bbox'][0]
    assert mine == pytest.approx(left * scale, abs=1e-3)


def test_labels_without_a_class_are_said(root, tmp_path, monkeypatch):
    whole = (root / V4['label_file']).read_text().splitlines()
    mid = ours(root).mids[ours(root)._boxes['labels'][0]]
    path = tmp_path / 'classes.csv'
    path.write_text('\n'.join(row for row in whole if not row.startswith(f'{mid},')))
    hidden = dict(hierarchy_file=None, image_level_ann_file=None)
    said = []
    module = 'mmdetxfer.datasets.columnar_open_images_dataset'
    monkeypatch.setattr(f'{module}.print_log', lambda text, _: said.append(text))
    dataset = ours(root, label_file=str(path), **hidden)
    lost = (ours(root)._boxes['labels'] == ours(root).mids.index(mid)).sum()
    text = f'{lost} boxes of 1 labels that {path} does not name'
    assert any(text in one for one in said)
    assert 'RELATION_MATRIX' not in dataset.metainfo
    assert 'image_level_labels' not in dataset.get_data_info(0)


def test_classes_of_ones_own_are_refused(root):
    with pytest.raises(UserError, match='601 classes are not those of metainfo'):
        ours(root, metainfo=dict(classes=('a',)))


def test_a_source_that_changed_in_secret_is_found(root, tmp_path):
    path = tmp_path / 'boxes.csv'
    path.write_bytes((root / V4['ann_file']).read_bytes())
    dataset = ours(root, ann_file=str(path))
    assert dataset.column_differences() == []
    state = path.stat()
    path.write_bytes(path.read_bytes()[:-2] + b'1\n')
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    (found,) = dataset.column_differences()
    assert found.startswith(f'{path} has another content than the columns in ')


def test_images_that_were_replaced_are_found(root, tmp_path):
    folder = tmp_path / 'images'
    shutil.copytree(root / 'OpenImages' / 'train', folder)
    dataset = ours(root, data_prefix=dict(img=str(folder)))
    assert dataset.column_differences() == []
    path = sorted(folder.iterdir())[3]
    write_image(path, 17, 11)
    assert dataset.column_differences() == [f'{path} has another size now']


@pytest.mark.parametrize('text', ['not JSON', '[]'])
def test_a_hierarchy_of_another_kind_is_named(root, tmp_path, text):
    path = tmp_path / 'tree.json'
    path.write_text(text)
    with pytest.raises(UserError, match=f'{path}: expected'):
        ours(root, hierarchy_file=str(path))


def test_filters_that_it_does_not_know_are_refused(root):
    with pytest.raises(UserError, match='filter_cfg: expected min_size .* got bogus'):
        ours(root, filter_cfg=dict(bogus=3))
