"""COCO's results and VOC's comp4 files become the detections that they are."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from mmdet.datasets import CocoDataset, VOCDataset
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation import found_objects, true_objects
from mmdetxfer.evaluation.foreign_detections import load_detections
from mmdetxfer.predictions import PredictionHeader, Predictions, save_predictions
from mmdetxfer.scoring import tide_gains
from mmdetxfer.scoring.objects import blocks_of_pairs
from mmdetxfer.scoring.tide import find_errors
from mmdetxfer.scoring.tide_gains import error_precisions


@pytest.fixture
def coco(tmp_path):
    """Two images and two categories, whose ids are not their labels."""
    content = dict(
        images=[dict(id=k, file_name=f'{k}.jpg', width=50, height=50) for k in (7, 9)],
        categories=[dict(id=3, name='cat'), dict(id=18, name='dog')],
        annotations=[],
    )
    (tmp_path / 'truth.json').write_text(json.dumps(content))
    return CocoDataset(
        ann_file=str(tmp_path / 'truth.json'),
        data_prefix=dict(img='images'),
        metainfo=dict(classes=('cat', 'dog')),
        test_mode=True,
    )


RESULT = dict(image_id=9, category_id=18, bbox=[1, 2, 3, 4], score=0.5)


def test_coco_results(coco, tmp_path):
    path = tmp_path / 'found.json'
    path.write_text(json.dumps([RESULT, {**RESULT, 'image_id': 7, 'category_id': 3}]))
    loaded = load_detections(path, coco)
    table = found_objects(loaded, ('7', '9'), ('cat', 'dog'), 'found.json')
    assert table.image_index.tolist() == [1, 0] and table.labels.tolist() == [1, 0]
    assert table.boxes.tolist() == [[1, 2, 4, 6]] * 2
    assert table.scores.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    'content, said',
    [
        ('[]', 'expected detections, it has none'),
        ('{"a": 1}', "expected COCO's results, a list of objects"),
        ('[{"image_id": 9}]', "KeyError: 'category_id'"),
        ('no json', 'got JSONDecodeError'),
        (json.dumps([{**RESULT, 'category_id': 4}]), 'got id 4 in entry 0'),
        (json.dumps([RESULT, {**RESULT, 'image_id': 8}]), "1 other images, first '8'"),
        (json.dumps([{**RESULT, 'bbox': [1, 2, 3]}]), 'not enough values'),
        (json.dumps([{**RESULT, 'bbox': list('1234')}]), "a number, got '1'"),
        (json.dumps([{**RESULT, 'score': [1]}]), 'expected a number, got [1]'),
        (json.dumps([{**RESULT, 'score': True}]), 'expected a number, got True'),
    ],
)
def test_broken_coco_results_are_named(coco, tmp_path, content, said):
    path = tmp_path / 'found.json'
    path.write_text(content)
    with pytest.raises(UserError, match='found.json: ') as raised:
        load_detections(path, coco)
    assert said in str(raised.value)


def test_scores_that_are_no_numbers(coco, tmp_path):
    path = tmp_path / 'found.json'
    path.write_text(json.dumps([RESULT, {**RESULT, 'score': float('nan')}]))
    with pytest.raises(UserError, match='got 1 that are not, first in row 1'):
        found_objects(load_detections(path, coco), ('7', '9'), ('cat', 'dog'), 'x')


@pytest.fixture
def voc(tmp_path):
    """Two images without objects."""
    (tmp_path / 'Annotations').mkdir()
    (tmp_path / 'JPEGImages').mkdir()
    xml = '<annotation><size><width>9</width><height>9</height></size></annotation>'
    for name in ('000001', '000002'):
        (tmp_path / f'Annotations/{name}.xml').write_text(xml)
    (tmp_path / 'test.txt').write_text('000001\n000002\n')
    return VOCDataset(
        data_root=str(tmp_path),
        ann_file='test.txt',
        data_prefix=dict(sub_data_root=''),
        metainfo=dict(classes=('cat', 'dog')),
        test_mode=True,
    )


def write_comp4(folder, **lines):
    folder.mkdir()
    for name, text in lines.items():
        (folder / f'comp4_det_test_{name}.txt').write_text(text)
    return folder


def test_comp4_counts_pixels_from_1(voc, tmp_path):
    """The first pixel alone is the box from 0 to 0."""
    lines = '000002 0.5 1 1 1 1\n000001 0.25 3 4 5.5 6\n'
    folder = write_comp4(tmp_path / 'found', cat='', dog=lines)
    loaded = load_detections(folder, voc)
    assert loaded.image_ids == ('000001', '000002')
    table = found_objects(loaded, loaded.image_ids, ('cat', 'dog'), 'found')
    assert table.image_index.tolist() == [1, 0] and table.labels.tolist() == [1, 1]
    assert table.boxes.tolist() == [[0, 0, 0, 0], [2, 3, 4.5, 5]]
    assert table.scores.tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    'lines, said',
    [
        (dict(cat='', dog=''), 'expected detections, it has none'),
        (dict(cat=''), "got 0 for 'dog'"),
        (dict(cat='', dog='', hot_dog=''), 'expected detections, it has none'),
        (dict(cat='', dog='000009 0.5 1 1 2 2'), "1 other images, first '000009'"),
        (dict(cat='', dog='\n000001 0.5 1 1'), 'dog.txt, line 1: expected an image'),
        (dict(cat='', dog='000001 0.5 1 1 2'), 'line 1: expected an image, a score'),
        (dict(cat='', dog='000001 high 1 1 2 2'), "got '000001 high 1 1 2 2'"),
    ],
)
def test_broken_comp4_files_are_named(voc, tmp_path, lines, said):
    folder = write_comp4(tmp_path / 'found', **lines)
    with pytest.raises(UserError, match='found') as raised:
        load_detections(folder, voc)
    assert said in str(raised.value)


def test_each_format_is_of_its_kind_of_test_set_and_pickles_of_none(
    coco, voc, tmp_path
):
    (tmp_path / 'found.json').write_text('[]')
    with pytest.raises(UserError, match='this one is a VOCDataset'):
        load_detections(tmp_path / 'found.json', voc)
    folder = write_comp4(tmp_path / 'found', cat='', dog='')
    with pytest.raises(UserError, match='this one is a CocoDataset'):
        load_detections(folder, coco)
    with pytest.raises(UserError, match='opening a .pkl could run code'):
        load_detections(tmp_path / 'found.pkl', coco)
    with pytest.raises(UserError, match='folder of comp4 text files, there is nothing'):
        load_detections(tmp_path / 'none', coco)
    (tmp_path / 'found' / 'comp4_det_test_dog.txt').write_bytes(b'\xff\xfe')
    with pytest.raises(UserError, match='expected a text file of detections, got'):
        load_detections(folder, voc)


def test_our_own_format_is_read_as_ever(coco, tmp_path):
    header = PredictionHeader('detection', ('cat', 'dog'), 'hash', 'config.py')
    columns = dict(boxes=np.ones((1, 4)), scores=np.ones(1))
    saved = Predictions(header, ('7', '9'), columns)
    save_predictions(tmp_path / 'found.npz', saved)
    assert load_detections(tmp_path / 'found.npz', coco).header == header


def test_published_fake_results_score_as_pycocotools_says(monkeypatch):
    """COCO's 100 images with its official fake detections, crowds among the truth.

    Mean AP at 101 recalls, which TIDE's gains are taken from, at all ten thresholds;
    and the overlaps of all pairs, which every score here is made of. pycocotools'
    recalls are not quite tidecv's, which are ours: its 0.35 is above 35/100.
    """
    root = os.environ.get('MMDETXFER_REFERENCE_DATA')
    if not root:
        pytest.skip('MMDETXFER_REFERENCE_DATA is not set: COCO results not compared')
    folder = Path(root) / 'coco_fake_results'
    truth_file = folder / 'instances_val2014_100.json'
    found_file = folder / 'instances_val2014_fakebbox100_results.json'
    dataset = CocoDataset(
        ann_file=str(truth_file), data_prefix=dict(img='images'), test_mode=True
    )
    truth, ids = true_objects(dataset)
    loaded = load_detections(found_file, dataset)
    classes = dataset.metainfo['classes']
    found = found_objects(loaded, ids, classes, 'published')
    # The limit of 100 detections an image changes nothing.
    assert np.bincount(found.image_index).max() <= 100 and truth.is_ignored.sum() > 0
    judge = COCOeval(COCO(str(truth_file)), None, 'bbox')
    judge.cocoDt = judge.cocoGt.loadRes(str(found_file))
    judge.params.imgIds = sorted(int(one) for one in ids)
    judge.evaluate()
    judge.accumulate()
    monkeypatch.setattr(tide_gains, '_RECALLS', judge.params.recThrs)
    for place, threshold in enumerate(judge.params.iouThrs):
        errors = find_errors(truth, found, min_overlap=float(threshold))
        mine = error_precisions(truth, found, errors, len(classes))['AP'][0]
        precision = judge.eval['precision'][place, :, :, 0, 2]
        theirs = precision[:, precision[0] > -1].mean()
        assert mine == pytest.approx(theirs, abs=1e-9)
    numbers = {place: int(one) for place, one in enumerate(ids)}
    pairs = 0
    for block in blocks_of_pairs(truth, found):
        for row, place, overlap in zip(
            block.found, block.truth, block.overlaps, strict=True
        ):
            if truth.is_ignored[place]:
                continue
            own = np.flatnonzero(
                (found.image_index == found.image_index[row])
                & (found.labels == found.labels[row])
            )
            same = np.flatnonzero(
                (truth.image_index == truth.image_index[place])
                & (truth.labels == truth.labels[place])
            )
            if truth.is_ignored[same].any():
                continue
            order = own[np.argsort(-found.scores[own], kind='mergesort')]
            key = (
                numbers[truth.image_index[place]],
                dataset.cat_ids[found.labels[row]],
            )
            theirs = judge.ious[key][
                order.tolist().index(row), same.tolist().index(place)
            ]
            assert overlap == pytest.approx(theirs, abs=1e-6)
            pairs += 1
    assert pairs > 500
