"""Occlusion labels come to the objects that they are of, or do not come at all."""

import numpy as np
import pytest
from mmdet.datasets import VOCDataset

from mmdetxfer.datasets.occlusion_labels import UNKNOWN, read_occlusion
from mmdetxfer.errors import UserError
from mmdetxfer.evaluation import true_objects
from mmdetxfer.worlds import occlusion, voc
from mmdetxfer.worlds.categories import category_of
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.writing import stream_seed

SEED, NUM_IMAGES = 3, 25


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world')
    splits = {'train': 1, 'val': 1, 'test': NUM_IMAGES}
    voc.write_voc2007(folder / 'VOCdevkit/VOC2007', splits, SEED)
    occlusion.write(folder / 'occlusion', {'test': NUM_IMAGES}, SEED)
    dataset = VOCDataset(
        data_root=f'{folder}/VOCdevkit/',
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
    )
    truth, ids = true_objects(dataset)
    xml = [folder / f'VOCdevkit/VOC2007/Annotations/{one}.xml' for one in ids]
    return folder, truth, xml, dataset.metainfo['classes']


def test_every_label_is_that_of_the_object_that_was_drawn(world):
    folder, truth, xml, classes = world
    labels = read_occlusion(folder / 'occlusion', truth, xml, classes)
    stream = stream_seed(SEED, 'voc2007', 'test')
    drawn = [
        item
        for index in range(NUM_IMAGES)
        for item in draw_scene(stream, index, 'target').objects
    ]
    assert len(drawn) == len(truth.labels)
    named = {classes[label] for label in labels.labels}
    assert named == set(occlusion.OCCLUSION_CLASSES)
    seen = set()
    for place, item in enumerate(drawn):
        name = category_of(item.category).voc
        assert classes[truth.labels[place]] == name
        known = name in named and not item.is_difficult
        expected = item.occlusion if known else UNKNOWN
        assert labels.occlusion[place] == expected
        assert labels.is_truncated[place] == item.is_truncated
        seen.add(expected)
    assert len(seen) > 2 and labels.is_truncated.any()


def changed(world, tmp_path, change):
    """Read the files of one class alone, changed."""
    folder, truth, xml, classes = world
    name = next(
        one
        for one in occlusion.OCCLUSION_CLASSES
        if len((folder / f'occlusion/gt_ved_{one}.txt').read_text().splitlines()) > 3
    )
    lines = (folder / f'occlusion/gt_ved_{name}.txt').read_text().splitlines()
    (tmp_path / f'gt_ved_{name}.txt').write_text('\r\n'.join(change(lines)) + '\r\n')
    return read_occlusion(tmp_path, truth, xml, classes)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda lines: lines[:-1], r'got \d+ rows; the first that does not fit is row'),
        (lambda lines: [lines[0], *lines[2:], lines[1]], 'that does not fit is row 1;'),
        (
            lambda lines: [one.replace('\t', ' ') for one in lines],
            '6 fields between ta',
        ),
        (
            lambda lines: [lines[0], *(one.replace('\t', '\tx') for one in lines[1:])],
            'expected numbers, ',
        ),
        (
            lambda lines: [
                lines[0],
                '\t'.join([*(first := lines[1].split('\t'))[:2], '4', *first[3:]]),
                *lines[2:],
            ],
            'expected occlusion from 0 to 3, got 4',
        ),
    ],
)
def test_rows_that_are_out_of_step_are_refused(world, tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        changed(world, tmp_path, change)


def test_a_folder_without_labels_is_refused(world, tmp_path):
    _, truth, xml, classes = world
    with pytest.raises(
        UserError, match='expected files gt_ved_<class>.txt for some of'
    ):
        read_occlusion(tmp_path, truth, xml, classes)


def test_other_annotations_are_refused(world):
    folder, truth, xml, classes = world
    counts = np.bincount(truth.image_index, minlength=NUM_IMAGES)
    other = int(np.flatnonzero(counts != counts[0])[0])
    swapped = [xml[other], *xml[1:]]
    with pytest.raises(UserError, match=f'expected the {counts[0]} objects of image 0'):
        read_occlusion(folder / 'occlusion', truth, swapped, classes)
