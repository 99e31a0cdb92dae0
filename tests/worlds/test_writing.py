"""Shared pieces of the writers: order, restart, whole files, image streams."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdetxfer.worlds import writing
from mmdetxfer.worlds.scenes import draw_scene
from mmdetxfer.worlds.writing import (
    ITEMS_PER_PART,
    map_items,
    remove_leftovers,
    stream_seed,
    write_bytes,
    write_jpeg,
)


def note(item):
    """Append to a log, so that a test sees how often an item was worked on."""
    folder, number = item
    with open(Path(folder) / 'log.txt', 'a') as log:
        log.write(f'{number}\n')
    return dict(square=number**2, pair=(number, None))


def fail_at_70(item):
    if item[1] == 70:
        raise OSError('disk full')
    return note(item)


def worked_on(folder):
    return sorted(int(line) for line in (folder / 'log.txt').read_text().split())


@pytest.mark.parametrize('workers', [1, 2, 5])
def test_results_come_in_the_order_of_the_items(tmp_path, workers):
    items = list(range(4 * ITEMS_PER_PART + 3))

    results = map_items(math.isqrt, items, tmp_path, workers)

    assert results == [math.isqrt(item) for item in items]


def test_results_are_plain_json_and_every_item_is_worked_on_once(tmp_path):
    items = [(str(tmp_path), number) for number in range(ITEMS_PER_PART + 3)]

    results = map_items(note, items, tmp_path / 'parts')

    assert results == [dict(square=n**2, pair=[n, None]) for _, n in items]
    assert worked_on(tmp_path) == list(range(len(items)))


def test_no_items_give_no_results(tmp_path):
    assert map_items(note, [], tmp_path / 'parts') == []


def test_a_killed_work_goes_on_with_the_part_that_was_not_finished(tmp_path):
    """Item 70 fails in the second part of 50: the first is not done again."""
    items = [(str(tmp_path), number) for number in range(120)]
    with pytest.raises(OSError, match='disk full'):
        map_items(fail_at_70, items, tmp_path / 'parts')
    done_before = worked_on(tmp_path)

    results = map_items(note, items, tmp_path / 'parts')

    assert [result['square'] for result in results] == [n**2 for n in range(120)]
    assert done_before == list(range(70))
    assert worked_on(tmp_path) == sorted(done_before + list(range(50, 120)))


def test_progress_is_told_after_each_part(tmp_path):
    told = []
    items = [(str(tmp_path), number) for number in range(ITEMS_PER_PART + 1)]

    def progress(*message):
        told.append(message)

    map_items(note, items, tmp_path / 'parts', 1, progress, 'some images')

    assert told == [('some images', 50, 51), ('some images', 51, 51)]


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    """A process that dies before the renaming leaves the old file and a leftover."""
    path = tmp_path / 'deep' / 'file.txt'
    write_bytes(path, b'old')

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, 'replace', die)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b'new and longer')

    assert path.read_bytes() == b'old'
    assert len(list(path.parent.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert list(path.parent.iterdir()) == [path]


def test_a_jpeg_comes_back_in_rgb_with_small_errors(tmp_path):
    image = draw_scene(2, 0, 'source').image
    write_jpeg(tmp_path / 'image.jpg', image)

    read = cv2.imread(str(tmp_path / 'image.jpg'))[..., ::-1].astype(int)

    assert read.shape == image.shape
    assert np.abs(read - image).mean() < 8


def test_streams_of_other_seeds_formats_and_splits_differ():
    names = [('voc2007', 'train'), ('voc2007', 'val'), ('coco', 'train')]
    seeds = {stream_seed(seed, *name) for seed in (0, 1) for name in names}

    assert len(seeds) == 6
    assert all(0 <= seed < 1 << 63 for seed in seeds)
    assert stream_seed(0, 'coco', 'train') == stream_seed(0, 'coco', 'train')
    assert json.loads(json.dumps(list(seeds))) == list(seeds)
