"""OpenImages' CSV files as columns: order, labels, flags, and what is refused."""

import numpy as np
import pytest
from mmdet.datasets import OpenImagesDataset

from mmdetxfer.datasets import openimages_columns
from mmdetxfer.datasets.openimages_columns import (
    ancestors_matrix,
    read_boxes,
    read_classes,
    read_image_labels,
)
from mmdetxfer.errors import UserError

V4 = (
    'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,'
    'IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside'
)
CHALLENGE = 'ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf'
MIDS = ['/m/a', '/m/b']


@pytest.fixture
def write(tmp_path):
    def write(header, *rows):
        path = tmp_path / 'boxes.csv'
        path.write_text('\n'.join([header, *rows]) + '\n')
        return path

    return write


def test_boxes_of_an_image_come_together_in_the_order_of_the_file(write):
    """Image y comes first in the file; ids of digits stay text."""
    path = write(
        V4,
        'y,x,/m/b,1,0.1,0.2,0.3,0.4,0,0,1,0,0',
        '007,x,/m/a,1,0.5,0.6,0.7,0.8,1,0,0,0,1',
        '007,x,/m/b,1,0,1,0,1,-1,1,0,1,0',
    )
    found = read_boxes(path, MIDS)
    assert found['image_ids'].tolist() == [b'y', b'007']
    assert found['offsets'].tolist() == [0, 1, 3]
    assert found['labels'].tolist() == [1, 0, 1]
    corners = [[0.1, 0.3, 0.2, 0.4], [0.5, 0.7, 0.6, 0.8], [0, 0, 1, 1]]
    np.testing.assert_allclose(found['corners'], corners, atol=1e-7)
    assert found['flags'].tolist() == [4, 1 + 16, 2 + 8]


def test_rows_of_an_image_may_stand_apart(write):
    path = write(
        CHALLENGE,
        'a,/m/a,0.1,1,0,1,0',
        'b,/m/b,0.2,1,0,1,1',
        'a,/m/b,0.3,1,0,1,0',
        'c,/m/a,0.4,1,0,1,0',
        'b,/m/a,0.5,1,0,1,0',
    )
    found = read_boxes(path, MIDS)
    assert found['image_ids'].tolist() == [b'a', b'b', b'c']
    assert found['offsets'].tolist() == [0, 2, 4, 5]
    lefts = found['corners'][:, 0]
    np.testing.assert_allclose(lefts, [0.1, 0.3, 0.2, 0.5, 0.4], atol=1e-7)
    assert found['labels'].tolist() == [0, 1, 1, 0, 0]
    assert found['flags'].tolist() == [0, 0, 4, 0, 0]


@pytest.mark.parametrize('apart', [False, True])
def test_blocks_of_the_file_make_no_difference(write, monkeypatch, apart):
    """Blocks of a few rows; images go on over their ends."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, 300)
    images = images if apart else np.sort(images)
    rows = [
        f'{image:05d},x,{MIDS[image % 2]},1,{k / 1000},1,0,1,0,0,{k % 2},0,0'
        for k, image in enumerate(images)
    ]
    path = write(V4, *rows)
    whole, reports = read_boxes(path, MIDS), []
    monkeypatch.setattr(openimages_columns, '_BLOCK_BYTES', 256)
    parts = read_boxes(path, MIDS, reports.append)
    assert len(reports) > 10 and reports[-1] == 300
    assert whole.keys() == parts.keys()
    for name, column in whole.items():
        assert np.array_equal(column, parts[name]), name
    assert len(whole['image_ids']) == len(set(images.tolist()))
    for number, image in enumerate(whole['image_ids']):
        own = slice(*whole['offsets'][number : number + 2])
        expected = np.flatnonzero(images == int(image)) / 1000
        np.testing.assert_allclose(whole['corners'][own, 0], expected, atol=1e-6)


def test_unknown_labels_are_left_out_and_counted(write):
    rows = [f'{i},x,/m/{m},1,0,1,0,1,0,0,0,0,0' for i, m in ('az', 'ab', 'bz', 'by')]
    found = read_boxes(write(V4, *rows), MIDS)
    assert found['image_ids'].tolist() == [b'a'] and found['labels'].tolist() == [1]
    counts = zip(found['unknown_labels'], found['unknown_counts'], strict=True)
    assert dict(counts) == {b'/m/z': 2, b'/m/y': 1}


def test_a_file_without_boxes_has_no_images(write):
    found = read_boxes(write(V4), MIDS)
    assert len(found['image_ids']) == 0 and found['offsets'].tolist() == [0]
    assert found['corners'].shape == (0, 4)


def test_files_of_another_kind_are_refused(write, tmp_path):
    with pytest.raises(UserError, match='it has no LabelName; name the official'):
        read_boxes(write('ImageID,XMin,YMin,XMax,YMax'), MIDS)
    with pytest.raises(UserError, match='cannot be read .*; fetch it again'):
        read_boxes(write(CHALLENGE, 'a,/m/a,left,1,0,1,0'), MIDS)
    with pytest.raises(UserError, match='a value in every row of XMin, some have none'):
        read_boxes(write(CHALLENGE, 'a,/m/a,,1,0,1,0'), MIDS)
    with pytest.raises(UserError, match='none.csv: expected a CSV file of OpenImages'):
        read_boxes(tmp_path / 'none.csv', MIDS)


def test_image_level_labels_are_read_alike(write):
    path = write(
        'ImageID,Source,LabelName,Confidence',
        'a,verification,/m/b,0',
        'b,verification,/m/z,1',
        'b,verification,/m/a,1',
        'a,verification,/m/a,0.7',
    )
    found = read_image_labels(path, MIDS)
    assert found['image_ids'].tolist() == [b'a', b'b']
    assert found['labels'].tolist() == [1, 0, 0]
    np.testing.assert_allclose(found['confidences'], [0, 0.7, 1], atol=1e-7)


def test_classes_are_read_in_label_order(tmp_path):
    path = tmp_path / 'classes.csv'
    path.write_text('/m/b,"Dog, tame"\n/m/a,Cat\n')
    assert read_classes(path) == (['/m/b', '/m/a'], ['Dog, tame', 'Cat'])
    path.write_text('/m/b,Dog,2\n/m/a,Cat,1\n')
    assert read_classes(path) == (['/m/a', '/m/b'], ['Cat', 'Dog'])
    path.write_text('LabelName,DisplayName\n/m/b,Dog\n')
    assert read_classes(path) == (['/m/b'], ['Dog'])


@pytest.mark.parametrize('text', ['', '/m/a,Cat\n/m/a,Cat\n'])
def test_a_list_without_different_classes_is_refused(tmp_path, text):
    path = tmp_path / 'classes.csv'
    path.write_text(text)
    with pytest.raises(UserError, match='expected a list of different MIDs'):
        read_classes(path)


def test_a_list_that_is_none_is_refused(tmp_path):
    path = tmp_path / 'classes.csv'
    path.write_text('/m/a\n')
    with pytest.raises(UserError, match='expected rows of MID and class name'):
        read_classes(path)


def test_ancestors_are_those_of_mmdet():
    """b is below a; c below b and, in another place, alone; x is no class."""
    hierarchy = dict(
        LabelName='/m/root',
        Subcategory=[
            dict(
                LabelName='/m/a',
                Subcategory=[
                    dict(LabelName='/m/b', Subcategory=[dict(LabelName='/m/c')])
                ],
            ),
            dict(LabelName='/m/c'),
        ],
    )
    mids = ['/m/c', '/m/a', '/m/b']
    ours = ancestors_matrix(hierarchy, mids)
    assert ours.tolist() == [[1, 1, 1], [0, 1, 0], [0, 1, 1]]
    reader = OpenImagesDataset.__new__(OpenImagesDataset)
    reader.label_id_mapping = {mid: k for k, mid in enumerate(mids)}
    theirs = reader._convert_hierarchy_tree(hierarchy, np.eye(3))
    assert np.array_equal(ours, theirs)
    hierarchy['Subcategory'][0]['Subcategory'][0]['LabelName'] = '/m/x'
    assert ancestors_matrix(hierarchy, mids)[0].tolist() == [1, 1, 0]
