"""Columns on the disk: made once, made again when the source changed or they broke."""

import json
import multiprocessing
import os
import time

import numpy as np
import pytest

from mmdetxfer.datasets.column_store import (
    default_cache_dir,
    differences,
    load_columns,
    stored_columns,
)
from mmdetxfer.errors import UserError


class Maker:
    """Counts how often it makes the columns."""

    def __init__(self, source):
        self.source, self.count = source, 0

    def __call__(self):
        self.count += 1
        return {'values': np.array(self.source.read_text().split(), dtype=int)}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'boxes.csv'
    path.write_text('1 2 3')
    return path


def stored(source, make, **settings):
    return stored_columns('kind', [source], settings, make, source.parent / 'cache')


def test_columns_are_made_once_and_mapped(source):
    make = Maker(source)
    folder = stored(source, make)
    assert stored(source, make) == folder and make.count == 1
    values = load_columns(folder)['values']
    assert isinstance(values, np.memmap) and values.tolist() == [1, 2, 3]
    assert not values.flags.writeable


def test_other_settings_have_columns_of_their_own(source):
    make = Maker(source)
    folders = {stored(source, make, classes=k) for k in (1, 2)}
    assert len(folders) == 2 and make.count == 2 and all(f.is_dir() for f in folders)


def test_a_changed_source_makes_them_anew_and_the_former_go(source):
    make = Maker(source)
    former = stored(source, make)
    source.write_text('4 5')
    folder = stored(source, make)
    assert load_columns(folder)['values'].tolist() == [4, 5]
    assert folder != former and not former.exists()


def test_a_column_that_lost_its_end_is_made_again(source):
    make = Maker(source)
    folder = stored(source, make)
    os.truncate(folder / 'values.npy', 100)
    assert load_columns(stored(source, make))['values'].tolist() == [1, 2, 3]
    assert make.count == 2


def test_a_making_that_was_killed_leaves_nothing_that_counts(source):
    def breaks():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored(source, breaks)
    make = Maker(source)
    assert load_columns(stored(source, make))['values'].tolist() == [1, 2, 3]
    names = sorted(p.suffix for p in (source.parent / 'cache').iterdir())
    assert names == ['', '.lock']


def test_a_look_at_the_content_finds_what_size_and_time_hide(source):
    folder = stored(source, Maker(source))
    assert differences(folder) == []
    state = source.stat()
    source.write_text('1 2 4')
    os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert stored(source, Maker(source)) == folder
    column = folder / 'values.npy'
    column.write_bytes(column.read_bytes()[:-1] + b'\7')
    assert differences(folder) == [
        f'{source} has another content than the columns in {folder}',
        f'{column} is damaged',
    ]


def slowly_made(source, made):
    def make():
        with made.get_lock():
            made.value += 1
        time.sleep(0.3)
        return Maker(source)()

    stored(source, make)


def test_of_two_processes_one_makes_them_and_the_other_waits(source):
    made = multiprocessing.get_context('fork').Value('i', 0)
    both = [
        multiprocessing.get_context('fork').Process(
            target=slowly_made, args=(source, made)
        )
        for _ in range(2)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0] and made.value == 1


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r'none.csv: expected an annotation file'):
        stored(tmp_path / 'none.csv', None)


def test_a_place_that_cannot_be_written_is_named(source):
    (source.parent / 'cache').write_text('a file')
    with pytest.raises(UserError, match='cannot be kept there .*; name another'):
        stored(source, Maker(source))


def test_the_place_is_that_of_other_caches(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert default_cache_dir() == tmp_path / 'mmdetxfer' / 'annotations'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', '/home/me')
    assert str(default_cache_dir()) == '/home/me/.cache/mmdetxfer/annotations'


def test_the_manifest_says_what_the_columns_were_made_from(source):
    folder = stored(source, Maker(source), classes=2)
    manifest = json.loads((folder / 'columns.json').read_text())
    assert manifest['sources'][0]['path'] == str(source)
    assert manifest['settings'] == {'classes': 2} and manifest['kind'] == 'kind'
