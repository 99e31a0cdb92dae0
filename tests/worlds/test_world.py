"""Worlds: sizes, restart after a kill, refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from mmdetxfer.errors import UserError
from mmdetxfer.worlds import voc
from mmdetxfer.worlds.world import (
    DEFAULT_FORMATS,
    FORMATS,
    MARKER,
    make_world,
    split_sizes,
)

PACKAGE_ROOT = Path(__file__).parents[2]


def contents(folder):
    """Map every file but the lock to the hash of its bytes."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
        if path.is_file() and path.name != '.lock'
    }


@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize(
    ('size', 'total'), [('tiny', 24), ('medium', 5000), (101, 101)]
)
def test_the_splits_of_a_format_add_up_to_the_size(name, size, total):
    sizes = split_sizes(name, size)

    assert list(sizes) == list(FORMATS[name].small)
    assert min(sizes.values()) > 0
    if FORMATS[name].follows is None:
        assert sum(sizes.values()) == total


def test_formats_that_share_images_have_their_splits():
    """SBD has the images of VOC2012, the occlusion labels those of VOC2007's test."""
    for size in ('tiny', 'small', 'medium', 16):
        assert split_sizes('sbd', size) == split_sizes('voc2012', size)
        test = split_sizes('voc2007', size)['test']
        assert split_sizes('occlusion', size) == dict(test=test)


def test_the_small_world_has_the_sizes_that_studies_count_on():
    """800 source images to train on; 150 of VOC07 as a target, 250 to test."""
    assert split_sizes('coco', 'small')['train'] == 800
    assert split_sizes('voc2007', 'small') == dict(train=75, val=75, test=250)


def test_numbers_of_workers_and_calls_do_not_change_a_byte(tmp_path):
    """Also: a format added later is the one that would have been made at once."""
    both = ['voc2007', 'coco']
    make_world(tmp_path / 'one', 70, 3, both, workers=1)
    make_world(tmp_path / 'two', 70, 3, ['coco'], workers=2)
    make_world(tmp_path / 'two', 70, 3, both, workers=2)

    one, two = contents(tmp_path / 'one'), contents(tmp_path / 'two')
    assert len(one) > 140
    assert {name: one[name] for name in one if name != MARKER} == {
        name: two[name] for name in two if name != MARKER
    }
    assert not list(tmp_path.rglob('.parts'))


def test_a_second_call_draws_nothing_and_tells_the_same(tmp_path, monkeypatch):
    first = make_world(tmp_path, 16, 0, ['voc2007'])

    def refuse(*_):
        raise AssertionError('a finished format was written again')

    monkeypatch.setattr(voc, 'write_voc2007', refuse)
    assert make_world(tmp_path, 16, 0, ['voc2007']) == first
    with pytest.raises(AssertionError, match='written again'):
        make_world(tmp_path / 'new', 16, 0, ['voc2007'])


def test_the_seed_changes_the_images(tmp_path):
    make_world(tmp_path / 'a', 16, 0, ['coco'])
    make_world(tmp_path / 'b', 16, 1, ['coco'])

    image = Path('coco', 'train2017', '000000000001.jpg')
    first, second = (tmp_path / name / image for name in 'ab')
    assert first.read_bytes() != second.read_bytes()


def test_a_killed_call_goes_on_and_ends_like_one_that_was_not(tmp_path):
    """Killed by SIGKILL after the first part of 50 images is there."""
    code = (
        'import sys; from mmdetxfer.worlds.world import make_world; '
        'make_world(sys.argv[1], 190, 3, ["coco"], workers=1)'
    )
    killed = tmp_path / 'killed'
    process = subprocess.Popen(
        [sys.executable, '-c', code, str(killed)],
        env=dict(os.environ, PYTHONPATH=str(PACKAGE_ROOT)),
    )
    parts = killed / 'coco' / '.parts' / 'train'
    while process.poll() is None and not list(parts.glob('*.json')):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert json.loads((killed / MARKER).read_text())['formats'] == {}
    drawn = {path: path.stat().st_mtime_ns for path in killed.rglob('*.jpg')}
    done = 50 * len(list(parts.glob('*.json')))
    assert 50 <= done < 152

    (killed / 'coco' / 'train2017' / '.half_a_file.jpg.77.tmp').write_text('')

    make_world(killed, 190, 3, ['coco'], workers=1)
    make_world(tmp_path / 'whole', 190, 3, ['coco'], workers=1)

    assert contents(killed) == contents(tmp_path / 'whole')
    kept = [path for path, when in drawn.items() if path.stat().st_mtime_ns == when]
    assert len(kept) == done


@pytest.mark.parametrize(
    ('size', 'seed', 'message'),
    [
        (17, 0, 'made with size 16, not size 17'),
        (16, 1, 'made with seed 0, not seed 1'),
        ('small', 1, 'made with seed 0, size 16, not seed 1, size small'),
    ],
)
def test_a_folder_of_other_settings_is_refused(tmp_path, size, seed, message):
    make_world(tmp_path, 16, 0, ['voc2007'])
    before = contents(tmp_path)

    with pytest.raises(UserError, match=message):
        make_world(tmp_path, size, seed, ['coco'])

    assert contents(tmp_path) == before


@pytest.mark.parametrize('name', ['world_version', 'writers_version'])
def test_a_world_of_another_version_is_refused(tmp_path, name):
    make_world(tmp_path, 16, 0, ['voc2007'])
    marker = json.loads((tmp_path / MARKER).read_text())
    marker['settings'][name] = 0
    (tmp_path / MARKER).write_text(json.dumps(marker))

    with pytest.raises(UserError, match=f'made with {name} 0, not {name} 1; choose'):
        make_world(tmp_path, 16, 0, ['voc2007'])


def test_medium_is_5000_images_by_another_name(tmp_path):
    make_world(tmp_path, 'tiny', 0, ['voc2007'])

    make_world(tmp_path, 24, 0, ['voc2007'])


def test_a_folder_with_foreign_files_is_left_alone(tmp_path):
    (tmp_path / 'VOCdevkit').mkdir()

    with pytest.raises(UserError, match='it is no world; choose a new folder'):
        make_world(tmp_path, 'tiny', 0, ['voc2007'])

    assert [path.name for path in tmp_path.iterdir()] == ['VOCdevkit']


def test_two_makers_of_one_world_do_not_meet(tmp_path):
    """The first asks for progress, and meanwhile the second tries."""
    messages = []

    def try_too(*_):
        with pytest.raises(UserError) as caught:
            make_world(tmp_path, 16, 0, ['voc2007'], workers=1)
        messages.append(str(caught.value))

    make_world(tmp_path, 16, 0, ['voc2007'], workers=1, progress=try_too)

    assert messages
    assert all('another process is making the world' in text for text in messages)


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(size='huge'), "size must be tiny, small, medium or a number.*'huge'"),
        (dict(size=15), 'size must be at least 16 images, got 15'),
        (dict(seed=-1), 'seed must be 0 or more, got -1'),
        (dict(workers=0), 'workers must be 1 or more, got 0'),
        (dict(formats=['kitti']), "unknown format 'kitti'; known formats: voc2007, "),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(
    tmp_path, changed, message
):
    settings = dict(size=16, seed=0, formats=['voc2007'], workers=1) | changed

    with pytest.raises(UserError, match=message):
        make_world(tmp_path / 'world', **settings)

    assert not (tmp_path / 'world').exists()


def test_all_formats_but_the_second_coco_are_made_when_none_is_named():
    assert set(FORMATS) - set(DEFAULT_FORMATS) == {'coco_target'}
