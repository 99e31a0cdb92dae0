"""The writer of predictions: names, endings, order, and what it refuses."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from pycocotools import mask as coco_mask

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation import PredictionWriter, prediction_writer
from mmdetxfer.predictions import load_predictions, read_manifest


def config(scope: str, **dataset) -> Config:
    return Config(dict(default_scope=scope, test_dataloader=dict(dataset=dataset)))


def segmented(path: str, label: int) -> dict:
    return {
        'img_path': path,
        'pred_sem_seg': {'data': torch.full((1, 4, 6), label)},
    }


def detected(img_id, num_boxes: int, masks: bool = False) -> dict:
    found = {
        'bboxes': torch.arange(4.0 * num_boxes).reshape(num_boxes, 4),
        'scores': torch.linspace(1, 0.5, num_boxes),
        'labels': torch.arange(num_boxes),
    }
    if masks:
        found['masks'] = torch.zeros(num_boxes, 5, 7, dtype=torch.bool)
        found['masks'][:, 1:3, 2:6] = True
    return {'img_id': img_id, 'img_path': 'x.jpg', 'pred_instances': found}


def written(writer: PredictionWriter, *samples: dict, classes=('a', 'b')) -> None:
    writer.dataset_meta = {'classes': classes}
    writer.process(None, samples)
    writer.evaluate(len(samples))


def test_boxes_are_kept_with_their_image_and_images_without_boxes_too(tmp_path):
    """Three images with 2, 0 and 1 boxes: the rows belong to images 0, 0 and 2."""
    out = tmp_path / 'deep' / 'p.npz'
    writer = prediction_writer(str(out), config('mmdet'), 'absent.pth')
    written(writer, detected(7, 2), detected(8, 0), detected('x', 1))
    saved = load_predictions(out)
    assert saved.image_ids == ('7', '8', 'x')
    assert saved.columns['image_index'].tolist() == [0, 0, 2]
    assert saved.columns['labels'].tolist() == [0, 1, 0]
    assert saved.columns['boxes'][1].tolist() == [4, 5, 6, 7]
    assert saved.header.task == 'detection'
    assert saved.header.classes == ('a', 'b')


def test_masks_can_be_decoded_from_the_file_alone(tmp_path):
    """pycocotools gives back the 2 x 4 pixels of each mask, in 5 x 7."""
    out = tmp_path / 'p.parquet'
    writer = prediction_writer(str(out), config('mmdet'), 'absent.pth')
    written(writer, detected(1, 2, masks=True), detected(2, 0, masks=True))
    height, width, lengths = load_predictions(out).columns['masks'][1].split(' ')
    mask = coco_mask.decode(
        {'size': [int(height), int(width)], 'counts': lengths.encode()}
    )
    expected = np.zeros((5, 7), np.uint8)
    expected[1:3, 2:6] = 1
    np.testing.assert_array_equal(mask, expected)


def test_the_hash_is_that_of_the_weights(tmp_path):
    """The SHA-256 of the bytes 'abc' is an example of the standard, FIPS 180."""
    (tmp_path / 'w.pth').write_bytes(b'abc')
    writer = prediction_writer(
        str(tmp_path / 'p.npz'), config('mmpretrain'), str(tmp_path / 'w.pth')
    )
    assert writer.weights_sha256 == (
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    )


@pytest.mark.parametrize(
    'dataset',
    [
        dict(data_root='data', data_prefix=dict(img_path='img')),
        dict(data_root='data/img'),
        dict(data_root='data/img', data_prefix=''),
        dict(dataset=dict(data_root='data', data_prefix=dict(img='img'))),
        dict(datasets=[dict(data_root='data/img/a'), dict(data_root='data/img/b')]),
    ],
)
def test_equal_names_in_different_folders_stay_apart(tmp_path, dataset):
    """Whatever wraps the data set: ids are paths under the folder of the images."""
    out = tmp_path / 'maps'
    writer = prediction_writer(str(out), config('mmseg', **dataset), 'absent.pth')
    written(writer, segmented('data/img/a/1.jpg', 3), segmented('data/img/b/1.jpg', 5))
    _, files = read_manifest(out)
    labels = {one: cv2.imread(str(path), -1) for one, path in files.items()}
    assert {one: int(map_.max()) for one, map_ in labels.items()} == {
        'a/1': 3,
        'b/1': 5,
    }
    assert labels['a/1'].shape == (4, 6)


@pytest.mark.parametrize(
    'dataset',
    [
        dict(data_root='elsewhere'),
        dict(),
        dict(datasets=[dict(data_root='/abs'), dict(data_root='data')]),
    ],
)
def test_images_outside_the_folder_keep_their_whole_path(tmp_path, dataset):
    writer = prediction_writer(
        str(tmp_path / 'maps'), config('mmseg', **dataset), 'absent.pth'
    )
    written(writer, segmented('data/a/1.jpg', 1), segmented('data/b/1.jpg', 2))
    assert list(read_manifest(tmp_path / 'maps')[1]) == ['data/a/1', 'data/b/1']


def test_two_images_of_one_id_stop_the_run(tmp_path):
    """At once if one process meets both, at the end if two processes did."""
    writer = prediction_writer(str(tmp_path / 'p.npz'), config('mmdet'), 'absent.pth')
    with pytest.raises(UserError, match="two images of the test set have the id '3'"):
        writer.process(None, [detected(3, 1), detected(3, 1)])
    row = writer.results[0]
    with pytest.raises(UserError, match="two images of the test set have the id '3'"):
        writer.compute_metrics([row, row])


def test_label_indices_that_need_more_than_8_bits_are_refused(tmp_path):
    """256 would become 0, the background, without a word."""
    writer = prediction_writer(str(tmp_path / 'maps'), config('mmseg'), 'absent.pth')
    written(writer, segmented('a.jpg', 255))
    with pytest.raises(UserError, match='label indices up to 255, got 256'):
        written(writer, segmented('b.jpg', 256))


@pytest.mark.parametrize('text', ['{', '[]', '{"version": 1}'])
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    (tmp_path / 'manifest.json').write_text(text)
    with pytest.raises(UserError, match='expected a manifest of label maps, it cannot'):
        read_manifest(tmp_path)


def test_an_old_manifest_does_not_vouch_for_half_a_run(tmp_path):
    out = tmp_path / 'maps'
    written(
        prediction_writer(str(out), config('mmseg'), 'absent.pth'),
        segmented('a.jpg', 1),
    )
    read_manifest(out)
    killed = prediction_writer(str(out), config('mmseg'), 'absent.pth')
    killed.process(None, [segmented('a.jpg', 2)])
    with pytest.raises(UserError, match='expected predictions of a segmentor'):
        read_manifest(out)


def test_files_beside_other_predictions_are_left_alone(tmp_path):
    """Only a folder of label maps has a manifest to renew."""
    (tmp_path / 'manifest.json').write_text('another program')
    prediction_writer(str(tmp_path / 'p.npz'), config('mmdet'), 'absent.pth')
    assert (tmp_path / 'manifest.json').read_text() == 'another program'


@pytest.mark.parametrize(
    ('scope', 'out', 'message'),
    [
        ('mmdet', 'folder', r'ends in .npz or .parquet for detection, or .pkl'),
        ('mmpretrain', 'p.json', r'ends in .npz or .parquet for classification'),
        ('mmseg', 'p.npz', r'a folder \(a name without an ending\) for segmentation'),
        ('mmseg', 'p.parquet', r'a folder \(a name without an ending\)'),
        (
            'mmengine',
            'p.npz',
            r'expected default_scope mmdet, mmpretrain, mmseg.*it is',
        ),
        ('mmdet', 'file/p.npz', r'cannot be made .*name another place'),
        ('mmseg', 'file', r'cannot be made .*name another place'),
    ],
)
def test_a_wrong_place_is_refused_before_the_test(
    tmp_path, monkeypatch, scope, out, message
):
    monkeypatch.chdir(tmp_path)
    Path('file').touch()
    with pytest.raises(UserError, match=f'--out {out}: .*{message}'):
        prediction_writer(out, config(scope), 'absent.pth')


def test_a_test_set_without_images_is_refused(tmp_path):
    writer = prediction_writer(str(tmp_path / 'p.npz'), config('mmdet'), 'absent.pth')
    with pytest.raises(UserError, match='the test set has no images'):
        writer.compute_metrics([])


def test_a_label_map_that_cannot_be_written_stops_the_run(tmp_path):
    """A folder stands where the picture should go."""
    out = tmp_path / 'maps'
    writer = prediction_writer(str(out), config('mmseg'), 'absent.pth')
    (out / 'a.png').mkdir()
    with pytest.raises(UserError, match='a.png could not be written'):
        written(writer, segmented('a.jpg', 1))
