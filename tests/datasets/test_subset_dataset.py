"""Parts of a data set: what goes, what stays, and that nothing becomes background."""

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, RepeatDataset
from mmengine.registry import DATASETS

from mmdetxfer.chips import IGNORED, TRUTH
from mmdetxfer.datasets import SubsetDataset
from mmdetxfer.datasets.box_columns import box_columns
from mmdetxfer.errors import UserError

CLASSES = ('car', 'cat', 'cup')


@DATASETS.register_module(force=True)
class ToyLabels(BaseDataset):
    """Images whose boxes have the labels of ``rows``; an x before one: ignored."""

    METAINFO = dict(classes=CLASSES, palette=[(1, 1, 1), (2, 2, 2), (3, 3, 3)])

    def __init__(self, rows, **options):
        self.rows = rows
        super().__init__(pipeline=[lambda info: info], **options)

    def load_data_list(self):
        return [
            dict(
                img_id=f'im{number}',
                width=50,
                height=40,
                gt_label=int(row.split()[0].strip('x')),
                instances=[
                    dict(
                        bbox=[place, 0, place + 10, 10],
                        bbox_label=int(word.strip('x')),
                        ignore_flag=int('x' in word),
                    )
                    for place, word in enumerate(row.split())
                ],
            )
            for number, row in enumerate(self.rows)
        ]


def subset(*rows, **options) -> SubsetDataset:
    return SubsetDataset(dict(type='ToyLabels', rows=rows), **options)


def ids(dataset) -> list[str]:
    return [dataset.get_data_info(k)['img_id'] for k in range(len(dataset))]


def labels(info) -> list:
    return [
        None if one['ignore_flag'] else one['bbox_label'] for one in info['instances']
    ]


def test_images_with_an_excluded_class_go_and_labels_close_up():
    dataset = subset('0 1', '1 2', '2 x1', exclude_super_category='vehicle')
    assert ids(dataset) == ['im1', 'im2']
    assert dataset.metainfo['classes'] == ('cat', 'cup')
    assert dataset.metainfo['palette'] == [(2, 2, 2), (3, 3, 3)]
    assert [labels(dataset[k]) for k in (0, 1)] == [[0, 1], [1, None]]
    assert dataset.get_data_info(0)['gt_label'] == 0
    assert dataset.get_cat_ids(1) == [1]


def test_classes_may_keep_their_numbers():
    """Without animals cars are 0 and cups still 2; the class that is left has none."""
    options = dict(exclude_super_category='pets', members=dict(pets=['cat']))
    data = subset('0', '1', '2 0', keep_numbers=True, **options)
    assert data.metainfo['classes'] == CLASSES and len(data) == 2
    assert labels(data.get_data_info(1)) == [2, 0]
    assert data.metainfo['subset']['classes_after'] == 2
    table = data.box_columns()
    assert sorted(table.labels.tolist()) == [0, 0, 2]
    closed_up = subset('0', '1', '2 0', **options)
    assert labels(closed_up.get_data_info(1)) == [1, 0]


def test_images_with_an_excluded_class_may_stay_with_these_boxes_ignored():
    """The first image is left with no box to be found, and goes all the same."""
    options = dict(exclude_super_category='vehicle', ignore_excluded=True)
    dataset = subset('0', '1 0', '2', **options)
    assert ids(dataset) == ['im1', 'im2']
    assert labels(dataset.get_data_info(0)) == [0, None]


def test_members_of_a_super_category_can_be_named():
    members = dict(dishes=['cup'])
    dataset = subset('0', '1 2', exclude_super_category='dishes', members=members)
    assert ids(dataset) == ['im0'] and dataset.metainfo['classes'] == ('car', 'cat')


def test_members_come_from_an_is_a_file_of_synsets(tmp_path):
    is_a = tmp_path / 'wordnet.is_a.txt'
    is_a.write_text('n04524313 n1\nn1 car\nn00015388 cat\n')
    lists = dict(exclude_super_category='animal', is_a_file=str(is_a))
    assert ids(subset('0', '1', **lists)) == ['im0']
    is_a.write_text('one two three\n')
    with pytest.raises(UserError, match='expected lines of parent and child synset'):
        subset('0', **lists)


def test_members_come_from_the_data_sets_own_hierarchy():
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]])
    inner = ToyLabels(('0', '1', '2'), metainfo=dict(RELATION_MATRIX=matrix))
    dataset = SubsetDataset(inner, exclude_super_category='Cat')
    assert ids(dataset) == ['im0']
    assert np.array_equal(dataset.metainfo['RELATION_MATRIX'], [[1]])


def test_a_super_category_without_members_is_refused():
    with pytest.raises(UserError, match='none of the 3 classes is known as a plant'):
        subset('0', exclude_super_category='plant')


def test_shares_are_nested_and_of_the_right_size():
    rows = ['0'] * 40
    shares = [set(ids(subset(*rows, fraction=f))) for f in (0.1, 0.5, 1.0)]
    assert [len(share) for share in shares] == [4, 20, 40]
    assert shares[0] < shares[1] < shares[2]
    other = set(ids(subset(*rows, fraction=0.5, seed=1)))
    assert other != shares[1] and len(other) == 20


def test_the_most_boxes_hold_and_more_would_be_too_many():
    rows = ['0 0 0', '1 1', '2'] * 10
    dataset = subset(*rows, max_instances=17)
    counts = [len(dataset.get_data_info(k)['instances']) for k in range(len(dataset))]
    assert 14 < sum(counts) <= 17
    assert set(ids(subset(*rows, max_instances=8))) < set(ids(dataset))


def test_fewer_classes_are_drawn_and_the_others_are_ignored():
    kept = [subset('0 1 2', num_classes=k).metainfo['classes'] for k in (1, 2, 3)]
    assert [len(k) for k in kept] == [1, 2, 3]
    assert set(kept[0]) < set(kept[1]) < set(kept[2])
    dataset = subset('0 1 2', '2', '1', '0', num_classes=2)
    assert sorted(labels(dataset.get_data_info(0)), key=str) == [0, 1, None]
    assert len(dataset) == 3
    draws = {
        subset('0 1 2', num_classes=1, seed=k).metainfo['classes'] for k in range(9)
    }
    assert len(draws) == 3


def test_counts_before_and_after_are_kept():
    dataset = subset('0 1', '1 2', '2 x1', exclude_super_category='vehicle')
    assert dataset.metainfo['subset'] == dict(
        images_before=3,
        images_after=2,
        boxes_before=5,
        boxes_after=3,
        classes_before=3,
        classes_after=2,
        excluded=('car',),
    )


def test_columns_are_those_of_the_items():
    """What a planner of chips reads at once is what the items say one by one."""
    dataset = subset('0 1', '1 2 0', '2 x1', '0', num_classes=2, fraction=0.8, seed=3)
    found = dataset.box_columns()
    assert found.ids.tolist() == ids(dataset)
    for row in range(len(dataset)):
        info = dataset.get_data_info(row)
        own = slice(*found.offsets[row : row + 2])
        expected = [IGNORED if k is None else TRUTH for k in labels(info)]
        assert found.kinds[own].tolist() == expected
        known = found.labels[own][found.kinds[own] == TRUTH].tolist()
        assert known == [k for k in labels(info) if k is not None]
        boxes = [one['bbox'] for one in info['instances']]
        assert found.boxes[own].tolist() == boxes
    # The way of a wrapper without columns.
    whole = box_columns(dataset.dataset)
    assert len(whole.offsets) == 5


def test_lists_that_are_built_in_are_for_their_own_data_sets_alone():
    """LVIS has a car_(automobile) and a bicycle: half a list would be no exclusion."""
    inner = ToyLabels(('0', '1'), metainfo=dict(classes=('bicycle', 'car_', 'dog')))
    with pytest.raises(UserError, match='built in for the classes of VOC and COCO al'):
        SubsetDataset(inner, exclude_super_category='vehicle')
    members = dict(vehicle=['bicycle', 'car_'])
    rest = ToyLabels(('0', '2'), metainfo=dict(classes=('bicycle', 'car_', 'dog')))
    part = SubsetDataset(rest, exclude_super_category='vehicle', members=members)
    assert part.metainfo['classes'] == ('dog',)


def test_classes_are_drawn_from_those_that_are_left():
    for seed in range(6):
        options = dict(num_classes=1, exclude_super_category='vehicle', seed=seed)
        classes = subset('0', '1', '2', **options).metainfo['classes']
        assert len(classes) == 1 and classes != ('car',)


def test_a_wrapper_without_transforms_needs_some():
    inner = RepeatDataset(ToyLabels(('0', '1')), times=2)
    with pytest.raises(UserError, match='RepeatDataset has no pipeline of its own'):
        SubsetDataset(inner)[0]
    dataset = SubsetDataset(inner, pipeline=[lambda info: info['img_id']])
    assert [dataset[k] for k in range(4)] == ['im0', 'im1'] * 2


def test_an_item_that_the_pipeline_drops_is_replaced():
    def drop_first(info):
        return None if info['img_id'] == 'im0' else info['img_id']

    assert subset('0', '1', pipeline=[drop_first])[0] == 'im1'
    with pytest.raises(UserError, match='the pipeline dropped 1000 items'):
        subset('0', '1', pipeline=[lambda info: None])[0]


def test_transforms_of_ones_own_replace_those_of_the_data_set():
    dataset = subset('0', '1', pipeline=[lambda info: info['img_id']])
    assert [dataset[k] for k in (0, 1)] == ['im0', 'im1']


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(fraction=0), 'fraction: expected a share of 1, got 0'),
        (dict(fraction=1.5), 'got 1.5'),
        (dict(num_classes=4), 'num_classes: expected 1 to 3, got 4'),
        (dict(fraction=0.1), 'of 2 images none is left'),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        subset('0', '1', **options)
