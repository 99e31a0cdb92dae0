"""One line tells what the labels of a training's data are, without reading an image."""

import json
from itertools import islice

import pytest
from mmdet.datasets import CocoDataset, VOCDataset
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)
from mmpretrain.datasets import VOC, CustomDataset

from mmdetxfer.datasets import GuardedDataset, SubsetDataset
from mmdetxfer.datasets.class_check import (
    check_classes,
    spread_order,
    unwrapped_datasets,
)


class Labelled(BaseDataset):
    """Samples whose infos are given."""

    def __init__(self, infos, classes):
        self.infos = infos
        super().__init__(metainfo=dict(classes=classes))

    def load_data_list(self):
        return [dict(info) for info in self.infos]

    def get_cat_ids(self, index):
        return [one['bbox_label'] for one in self.get_data_info(index)['instances']]


def test_a_part_with_fewer_classes_is_asked_itself():
    """Of car, cat, chair and couch the cars go, and the couch is never seen."""
    classes = ('car', 'cat', 'chair', 'couch')
    whole = Labelled([dict(img_id=k, **boxes(k % 3)) for k in range(9)], classes)
    for info in whole.infos:
        for one in info['instances']:
            one['bbox'] = [0, 0, 5, 5]
    whole = Labelled(whole.infos, classes)
    seen = check_classes(SubsetDataset(whole, exclude_super_category='vehicle'), 5)
    assert seen.classes == classes[1:] and seen.never_seen() == ['couch']
    assert seen.num_samples == 6 and dict(seen.counts) == {0: 3, 1: 3}


def boxes(*labels, ignored=()):
    ones = [dict(bbox_label=label) for label in labels]
    return dict(instances=ones + [dict(bbox_label=k, ignore_flag=1) for k in ignored])


@pytest.mark.parametrize('count', [0, 1, 2, 3, 10, 55, 100, 1000])
def test_all_indices_come_once(count):
    assert sorted(spread_order(count)) == list(range(count))


def test_any_beginning_is_spread_over_a_list_that_is_sorted_by_class():
    """20 of 1000 indices fall into all ten tenths, at most three into one."""
    tenths = [index // 100 for index in islice(spread_order(1000), 20)]
    assert {tenths.count(tenth) for tenth in range(10)} <= {1, 2, 3}


def test_classes_are_seen_in_objects_that_are_not_ignored():
    infos = [boxes(0, 0), boxes(2, ignored=[1]), boxes()]
    seen = check_classes(Labelled(infos, ('cat', 'dog', 'cow', 'pig')), seconds=9)
    assert dict(seen.counts) == {0: 2, 2: 1}
    assert seen.is_wrong()
    expected = '4 in the config; 2 seen in 3 samples of train; never seen: dog, pig'
    assert seen.line() == f'classes: {expected}'


def test_if_all_is_well_the_line_says_no_more():
    seen = check_classes(Labelled([dict(gt_label=0), dict(gt_label=[1])], 'ab'), 9)
    assert not seen.is_wrong()
    assert seen.line() == 'classes: 2 in the config; 2 seen in 2 samples of train'


def test_counting_stops_when_the_time_is_over():
    seen = check_classes(Labelled([boxes(0)] * 100, ('cat',)), seconds=-1)
    assert seen.num_looked_at == 1
    said = 'seen in the 1 of 100 samples that time allowed of train'
    assert said in seen.line()


def test_long_lists_of_names_are_cut():
    classes = [f'c{k}' for k in range(13)]
    line = check_classes(Labelled([boxes(0)], classes), 9).line()
    assert line.endswith('never seen: ' + ', '.join(classes[1:11]) + ' and 2 more')


def test_labels_in_files_are_not_counted():
    """A segmentor's samples have a label map, classifiers' test sets nothing."""
    seen = check_classes(Labelled([dict(seg_map_path='a.png')], ('a', 'b')), 9)
    assert not seen.is_wrong()
    expected = 'classes: 2 in the config; their labels are in files that are not read'
    assert seen.line().startswith(expected)


def test_wrapped_data_sets_are_counted_once_each():
    first, second = (Labelled([boxes(k)] * 3, ('cat', 'dog')) for k in (0, 1))
    joined = RepeatDataset(ConcatDataset([first, second]).datasets[0], times=4)
    assert list(unwrapped_datasets(GuardedDataset(joined))) == [first]
    both = ConcatDataset([first, second])
    seen = check_classes(GuardedDataset(both), 9)
    assert dict(seen.counts) == {0: 3, 1: 3} and seen.num_samples == 6
    balanced = ClassBalancedDataset(first, oversample_thr=9)
    assert check_classes(balanced, 9).num_samples == 3 < len(balanced)


XML = '<annotation><size><width>9</width><height>9</height></size>{}</annotation>'
OBJECT = (
    '<object><name>{}</name><difficult>0</difficult><bndbox><xmin>1</xmin>'
    '<ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>'
)


@pytest.fixture
def voc_root(tmp_path):
    """Two images with a cat, a tram and a ship."""
    for name, names in (('x', ['cat', 'tram']), ('y', ['ship'])):
        text = XML.format(''.join(OBJECT.format(one) for one in names))
        (tmp_path / 'Annotations').mkdir(exist_ok=True)
        (tmp_path / 'Annotations' / f'{name}.xml').write_text(text)
    (tmp_path / 'ImageSets' / 'Main').mkdir(parents=True)
    (tmp_path / 'ImageSets' / 'Main' / 'train.txt').write_text('x\ny\n')
    return tmp_path


def test_names_that_mmdets_voc_reader_drops_are_found_in_the_xml_files(voc_root):
    dataset = VOCDataset(
        data_root=str(voc_root),
        ann_file='ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=('cat', 'dog')),
    )
    seen = check_classes(dataset, 9)
    assert sorted(seen.unknown) == ['ship', 'tram'] and seen.is_wrong()
    assert 'never seen: dog; unknown in the annotation, and dropped: ' in seen.line()
    # One sample is looked into where there is no time.
    assert len(check_classes(dataset, -1).unknown) == 1


def test_names_that_mmpretrains_voc_reader_drops_are_found_too(voc_root):
    dataset = VOC(str(voc_root), split='train', metainfo=dict(classes=('cat', 'tram')))
    assert list(check_classes(dataset, 9).unknown) == ['ship']


def test_the_order_of_a_coco_file_is_compared_with_the_configs(tmp_path):
    """mmdet numbers in the file's order: label 0 is dog there and is read as cat."""
    names = enumerate(['dog', 'tram', 'cat'], 1)
    content = dict(
        images=[dict(id=1, file_name='a.jpg', width=9, height=9)],
        annotations=[
            dict(id=k, image_id=1, category_id=k, bbox=[0, 0, 5, 5], area=25, iscrowd=0)
            for k in (1, 2)
        ],
        categories=[dict(id=k, name=name) for k, name in names],
    )
    (tmp_path / 'all.json').write_text(json.dumps(content))
    dataset = CocoDataset(
        ann_file=str(tmp_path / 'all.json'),
        data_prefix=dict(img=''),
        metainfo=dict(classes=('cat', 'dog')),
    )
    (label,) = (one['bbox_label'] for one in dataset.get_data_info(0)['instances'])
    assert label == 0
    seen = check_classes(dataset, 9)
    assert list(seen.unknown) == ['tram']
    said = 'label 0 is dog in the annotation and not cat; label 1 is cat in the '
    assert seen.line().endswith(f'{said}annotation and not dog')


def test_folders_in_another_order_than_the_configs_classes_are_found(tmp_path):
    """mmpretrain numbers folders by name: ant is 0, and is read as bee."""
    for name in ('ant', 'bee'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'a.jpg').touch()

    def wrong(classes):
        dataset = CustomDataset(data_root=str(tmp_path), metainfo=dict(classes=classes))
        return check_classes(dataset, 9).wrong

    assert wrong(('ant', 'bee')) == {}
    assert wrong(('bee', 'ant')) == {0: ('bee', 'ant'), 1: ('ant', 'bee')}
    # Folders named otherwise (by synset ids, say) tell nothing about the order.
    assert wrong(('Formicidae', 'Apis')) == {}
