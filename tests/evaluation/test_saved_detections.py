"""Saved detections become the tables that scores read, or the difference is named."""

import numpy as np
import pytest
from mmdet.datasets import CocoDataset, VOCDataset

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation import found_objects, true_objects
from mmdetxfer.predictions import PredictionHeader, Predictions


class TwoImages:
    """What a reader of mmdet tells of two images."""

    def __len__(self):
        return 2

    def get_data_info(self, index):
        box = dict(bbox=[1, 2, 3, 4 + index], bbox_label=index, ignore_flag=index)
        return dict(img_id=f'im{index}', instances=[box] * (index + 1))


class LikeCoco(TwoImages, CocoDataset):
    def __init__(self):
        pass


class LikeVOC(TwoImages, VOCDataset):
    def __init__(self):
        pass


@pytest.mark.parametrize('kind, inclusive', [(LikeCoco, False), (LikeVOC, True)])
def test_the_truth_is_what_the_reader_tells(kind, inclusive):
    truth, ids = true_objects(kind())
    assert ids == ('im0', 'im1') and truth.is_inclusive is inclusive
    assert truth.image_index.tolist() == truth.labels.tolist() == [0, 1, 1]
    assert truth.is_ignored.tolist() == [False, True, True]
    assert truth.boxes[:, 3].tolist() == [4, 5, 5]


def test_groups_are_ignored_as_difficult_objects_are():
    """OpenImages' readers flag them, by either of two names."""

    class LikeOpenImages(LikeCoco):
        def get_data_info(self, index):
            info = super().get_data_info(0)
            name = ('is_group_of', 'is_group_ofs')[index]
            info['img_id'] = f'im{index}'
            info['instances'] = [dict(info['instances'][0], **{name: True})]
            return info

    truth, _ = true_objects(LikeOpenImages())
    assert truth.is_ignored.tolist() == [True, True]


def saved(ids=('im1', 'im0'), classes=('a', 'b'), task='detection', score=0.5):
    header = PredictionHeader(task, classes, 'hash', 'config.py')
    columns = dict(
        image_index=np.array([0, 0, 1]),
        labels=np.array([1, 0, 1]),
        boxes=np.ones((3, 4), np.float32),
        scores=np.full(3, score, np.float32),
    )
    return Predictions(header, ids, columns)


def found(predictions):
    return found_objects(predictions, ('im0', 'im1'), ('a', 'b'), 'mine.npz')


def test_images_are_numbered_as_in_the_test_set():
    """The file begins with image 1, which has the first two boxes."""
    table = found(saved())
    assert table.image_index.tolist() == [1, 1, 0]
    assert table.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(task='classification'), 'expected predictions of a detector, got those'),
        (dict(classes=('a',)), "the test set's 2 classes, got 1$"),
        (dict(classes=('a', 'c')), "got 2; the first that differs: 'b' is 'c'"),
        (dict(ids=('im1', 'x')), "2 images, got 1 others, first 'x', and 1 are miss"),
        (dict(ids=('im1',)), 'got 0 others, and 1 are missing'),
        (dict(score=np.nan), 'mine.npz: detections: expected finite scores'),
    ],
)
def test_what_does_not_belong_together_is_named(change, message):
    with pytest.raises(UserError, match=message):
        found(saved(**change))


def test_a_file_without_a_column_is_named():
    predictions = saved()
    del predictions.columns['labels']
    with pytest.raises(
        UserError, match="mine.npz: expected columns .* without {'labels'"
    ):
        found(predictions)


@pytest.mark.parametrize('name, value', [('labels', 2), ('image_index', -1)])
def test_numbers_that_name_nothing(name, value):
    predictions = saved()
    predictions.columns[name][1] = value
    with pytest.raises(UserError, match=f'{name} from 0 to 1, got {value} in row 1'):
        found(predictions)
