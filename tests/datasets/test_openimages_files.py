"""OpenImages' raw box files, and the pickle of sizes that is opened as plain data."""

import os
import pickle

import numpy as np
import pytest

from mmdetxfer.datasets.audit import AuditTable, Reason
from mmdetxfer.datasets.openimages_files import (
    read_openimages,
    read_openimages_challenge,
    read_pickled_sizes,
)
from mmdetxfer.errors import UserError

HEADER = 'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded\n'


def examples(table: AuditTable, reason=Reason.ANNOTATION) -> list[str]:
    return table.examples.get(reason, [])


@pytest.fixture
def openimages(tmp_path):
    """Write the rows of a V4 file and read it with two classes."""
    labels = tmp_path / 'labels.csv'
    labels.write_text('/m/a,Cat\n/m/b,"Dog, tame"\n')

    def read(rows: str, header: str = HEADER):
        boxes = tmp_path / 'boxes.csv'
        boxes.write_text(header + rows)
        table = AuditTable()
        return read_openimages(str(boxes), str(labels), '/img', table, 'train'), table

    return read


def test_rows_become_boxes_by_position_in_the_order_of_the_file(openimages):
    """An id of digits stays text, corners are x1, y1, x2, y2, an unknown MID stays."""
    found, table = openimages(
        '007,x,/m/b,1,0.1,0.2,0.3,0.4,0\n'
        '007,x,/m/z,1,0.5,0.6,0.7,1.5,0\n'
        'abc,x,/m/a,1,0,1,0,1,0\n'
    )
    assert table.rows() == []
    assert found.image_paths == ['/img/007.jpg', '/img/abc.jpg']
    assert found.object_images.tolist() == [0, 0, 1]
    names = [found.class_names[k] for k in found.object_classes]
    assert names == ['Dog, tame', '/m/z', 'Cat']
    expected = [[0.1, 0.3, 0.2, 0.4], [0.5, 0.7, 0.6, 1.5], [0, 0, 1, 1]]
    assert found.boxes.tolist() == expected
    assert found.are_relative and np.isnan(found.image_sizes).all()
    assert found.listed_classes == ['Cat', 'Dog, tame']


def test_a_file_with_other_columns_or_no_numbers_is_a_finding(openimages, tmp_path):
    for rows in ('007,x,/m/b\n', '007,x,/m/b,1,left,0.2,0.3,0.4,0\n'):
        found, table = openimages(rows)
        assert len(found.image_paths) == 0
        assert examples(table)[0].startswith(f'train: {tmp_path}/boxes.csv: ')
    table = AuditTable()
    read_openimages('/none.csv', '/none.csv', '', table, 'train')
    assert len(examples(table)) == 1


def test_the_challenge_file_is_read_with_labels_from_1(tmp_path):
    labels = tmp_path / 'labels.csv'
    labels.write_text('/m/b,Dog,2\n/m/a,Cat,1\n')
    boxes = tmp_path / 'boxes.txt'
    boxes.write_text(
        'train/x.jpg\n1\n2\n1 0.1 0.2 0.3 0.4 0\n9 0 0 1 1 1\ntrain/y.jpg\n1\n0\n'
    )
    table = AuditTable()
    arguments = (str(boxes), str(labels), '/img', table, 'train')
    found = read_openimages_challenge(*arguments)
    assert found.image_paths == ['/img/train/x.jpg', '/img/train/y.jpg']
    names = [found.class_names[k] for k in found.object_classes]
    assert names == ['Cat', 'label 9']
    assert found.boxes.tolist() == [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]]
    assert found.listed_classes == ['Cat', 'Dog'] and table.rows() == []
    boxes.write_text('train/x.jpg\n1\nmany\n')
    assert len(read_openimages_challenge(*arguments).image_paths) == 0
    assert 'invalid literal for int' in examples(table)[0]


def test_sizes_come_from_a_pickle_of_plain_data(tmp_path):
    file = tmp_path / 'metas.pkl'
    metas = [dict(filename='a/x.jpg', ori_shape=(50, 100, 3))]
    file.write_bytes(pickle.dumps(metas))
    table = AuditTable()
    assert read_pickled_sizes(str(file), table, 'train') == {'x.jpg': (100, 50)}
    for content in (b'', b'no pickle', pickle.dumps([dict(filename='x')])):
        file.write_bytes(content)
        assert read_pickled_sizes(str(file), table, 'train') == {}
    assert table.counts[Reason.ANNOTATION] == 3


class Payload:
    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return os.mkdir, (self.proof,)


def test_a_pickle_that_names_code_stops_the_audit_and_is_not_run(tmp_path):
    file, proof = tmp_path / 'metas.pkl', tmp_path / 'proof'
    file.write_bytes(pickle.dumps([Payload(str(proof))]))
    with pytest.raises(
        UserError, match=r'it names posix\.mkdir, which opening it would'
    ):
        read_pickled_sizes(str(file), AuditTable(), 'train')
    assert not proof.exists()
    # What it was spared:
    pickle.loads(file.read_bytes())
    assert proof.exists()
