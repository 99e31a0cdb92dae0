"""Saved predictions: what is read is what was written, and nothing runs on reading."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmdetxfer.errors import UserError
from mmdetxfer.predictions import (
    PredictionHeader,
    Predictions,
    label_map_name,
    load_predictions,
    read_manifest,
    save_predictions,
    write_manifest,
)

HEADER = PredictionHeader('detection', ('cat', 'dög'), 'ab' * 32, 'a_config.py')
DETECTIONS = Predictions(
    HEADER,
    ('1', 'no boxes', 'a/b'),
    {
        'image_index': np.array([0, 0, 2]),
        'boxes': np.array(
            [[0, 1, 2.5, 3], [4, 5, 6, 7], [1e-3, 0, 1e4, 1]], np.float32
        ),
        'scores': np.array([0.1, np.nextafter(np.float32(0.1), 1), 1], np.float32),
        'labels': np.array([1, 0, 1]),
        'masks': np.array(['2 3 06', '2 3 11O1', '2 3 ']),
    },
)
NOTHING_FOUND = Predictions(
    HEADER,
    ('1', '2'),
    {
        'image_index': np.zeros(0, np.int64),
        'boxes': np.zeros((0, 4), np.float32),
        'scores': np.zeros(0, np.float32),
        'labels': np.zeros(0, np.int64),
    },
)
CLASSIFIED = Predictions(
    PredictionHeader('classification', ('a', 'b', 'c'), 'cd' * 32, 'b.py'),
    ('x', 'y'),
    {'scores': np.array([[0.2, 0.3, 0.5], [0, 1, 0]], np.float32)},
)


class Payload:
    """A pickle that writes a file when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize('ending', ['.npz', '.parquet'])
@pytest.mark.parametrize('predictions', [DETECTIONS, NOTHING_FOUND, CLASSIFIED])
def test_both_formats_give_back_every_bit(tmp_path, ending, predictions):
    """Types count too: a float64 copy of float32 scores would rank ties otherwise."""
    path = tmp_path / f'saved{ending}'
    save_predictions(path, predictions)
    loaded = load_predictions(path)
    assert loaded.header == predictions.header
    assert loaded.image_ids == predictions.image_ids
    assert loaded.columns.keys() == predictions.columns.keys()
    for name, column in predictions.columns.items():
        assert loaded.columns[name].dtype.kind == column.dtype.kind, name
        assert loaded.columns[name].shape == column.shape, name
        np.testing.assert_array_equal(loaded.columns[name], column)
    assert loaded.columns['scores'].dtype == np.float32


def test_a_parquet_file_can_be_read_by_others(tmp_path):
    """pyarrow alone sees a list of four corners in each row."""
    save_predictions(tmp_path / 'p.parquet', DETECTIONS)
    table = pq.read_table(tmp_path / 'p.parquet')
    assert table.column('boxes').to_pylist()[0] == [0, 1, 2.5, 3]
    assert table.num_rows == 3


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / 'p.parquet'
    save_predictions(path, CLASSIFIED)
    broken = Predictions(HEADER, ('1',), {'scores': np.array([{}, ()], dtype=object)})
    with pytest.raises(Exception, match='Arrow|convert|cannot'):
        save_predictions(path, broken)
    assert load_predictions(path).image_ids == ('x', 'y')


def test_another_ending_is_refused(tmp_path):
    message = 'a name that ends in .npz or .parquet'
    with pytest.raises(UserError, match=message):
        save_predictions(tmp_path / 'p.json', CLASSIFIED)
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(Payload(tmp_path / 'ran')))
    with pytest.raises(UserError, match=message):
        load_predictions(tmp_path / 'p.pkl')
    assert not (tmp_path / 'ran').exists()


def test_a_pickle_inside_an_npz_does_not_run(tmp_path):
    """The payload is real: with pickles allowed, numpy runs it."""
    path = tmp_path / 'p.npz'
    payload = np.array([Payload(tmp_path / 'ran')], dtype=object)
    np.savez(path, header=np.array(HEADER.to_json()), image_ids=payload)
    with pytest.raises(UserError, match='cannot be read as such .*make them again'):
        load_predictions(path)
    assert not (tmp_path / 'ran').exists()
    with np.load(path, allow_pickle=True) as arrays:
        arrays['image_ids']
    assert (tmp_path / 'ran').exists()


@pytest.mark.parametrize('ending', ['.npz', '.parquet'])
@pytest.mark.parametrize('content', [None, b'', b'not predictions'])
def test_what_is_no_predictions_file_is_named(tmp_path, ending, content):
    path = tmp_path / f'p{ending}'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f'p{ending}: expected predictions'):
        load_predictions(path)


@pytest.mark.parametrize('ending', ['.npz', '.parquet'])
def test_half_of_a_file_is_refused(tmp_path, ending):
    path = tmp_path / f'p{ending}'
    save_predictions(path, DETECTIONS)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match='cannot be read as such'):
        load_predictions(path)


def test_arrays_of_another_program_are_refused(tmp_path):
    np.savez(tmp_path / 'p.npz', scores=np.zeros(3))
    pq.write_table(pa.table({'scores': [0.0]}), tmp_path / 'p.parquet')
    for ending in ('npz', 'parquet'):
        with pytest.raises(UserError, match='it has no .*name another file'):
            load_predictions(tmp_path / f'p.{ending}')


@pytest.mark.parametrize('ending', ['.npz', '.parquet'])
def test_another_version_of_the_format_is_refused(tmp_path, ending, monkeypatch):
    path = tmp_path / f'p{ending}'
    monkeypatch.setattr('mmdetxfer.predictions.FORMAT_VERSION', 99)
    save_predictions(path, CLASSIFIED)
    monkeypatch.undo()
    with pytest.raises(UserError, match='expected version 1 .* it is 99'):
        load_predictions(path)


def test_label_maps_of_different_ids_have_different_names():
    """'a/b' may not become a folder, nor meet an id that looks quoted already."""
    ids = ['a/b', 'a%2Fb', 'a_b', 'a b', 'ä', '../a', '.']
    names = [label_map_name(one) for one in ids]
    assert len(set(names)) == len(ids)
    assert all('/' not in name and name.endswith('.png') for name in names)


def test_a_folder_of_label_maps_is_complete_or_refused(tmp_path):
    with pytest.raises(UserError, match='expected predictions of a segmentor'):
        read_manifest(tmp_path)
    write_manifest(tmp_path, HEADER, ['b/x', 'a/x'])
    with pytest.raises(UserError, match="2 of 2 label maps .* image 'a/x'"):
        read_manifest(tmp_path)
    for one in ('a/x', 'b/x'):
        (tmp_path / label_map_name(one)).write_bytes(b'')
    header, files = read_manifest(tmp_path)
    assert header == HEADER
    assert files == {'a/x': tmp_path / 'a%2Fx.png', 'b/x': tmp_path / 'b%2Fx.png'}
    assert json.loads((tmp_path / 'manifest.json').read_text())['version'] == 1
