"""Maps of objects beside labels, and the size at which mmseg scores."""

import numpy as np
import pytest
from PIL import Image

from mmdetxfer.datasets.segmentation_transforms import LoadObjectMap, ScoreAtResizedSize
from mmdetxfer.errors import UserError


@pytest.fixture
def labels(tmp_path):
    for name in ('SegmentationClass', 'SegmentationObject'):
        (tmp_path / name).mkdir()
    return dict(seg_map_path=str(tmp_path / 'SegmentationClass' / 'one.png'))


def save(labels, image):
    path = labels['seg_map_path'].replace('SegmentationClass', 'SegmentationObject')
    image.save(path)


def test_objects_of_a_palette_image_keep_their_numbers(labels):
    numbers = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(numbers, 'P')
    image.putpalette([7] * 768)
    save(labels, image)
    found = LoadObjectMap().transform(labels)['object_map']
    np.testing.assert_array_equal(found, numbers)
    found[0, 0] = 5


def test_maps_of_objects_that_cannot_be_read_are_named(labels):
    with pytest.raises(UserError, match='Object/one.png: expected a label map, it'):
        LoadObjectMap().transform(labels)
    save(labels, Image.fromarray(np.zeros((2, 2, 3), np.uint8)))
    with pytest.raises(UserError, match='grey image of labels, got the mode RGB'):
        LoadObjectMap().transform(labels)
    with pytest.raises(UserError, match="labels in a folder 'Labels', got "):
        LoadObjectMap(folder='Labels').transform(labels)


def test_another_folder_name(labels, tmp_path):
    (tmp_path / 'Things').mkdir()
    Image.fromarray(np.ones((2, 2), np.uint8)).save(tmp_path / 'Things' / 'one.png')
    found = LoadObjectMap(instead='Things').transform(labels)['object_map']
    assert found.tolist() == [[1, 1], [1, 1]]


def test_the_original_shape_becomes_the_resized_one():
    results = dict(gt_seg_map=np.zeros((4, 5)), img_shape=(4, 5), ori_shape=(8, 10))
    assert ScoreAtResizedSize().transform(results)['ori_shape'] == (4, 5)
    with pytest.raises(UserError, match='load annotations before Resize'):
        ScoreAtResizedSize().transform({**results, 'gt_seg_map': np.zeros((8, 10))})
