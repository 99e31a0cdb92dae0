"""Annotations count by content, pictures by name and size."""

import os

import pytest

from mmdetxfer.study.fingerprint import UNKNOWN, fingerprint


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'data'
    (root / 'images').mkdir(parents=True)
    (root / 'images' / 'a.jpg').write_bytes(b'12345')
    (root / 'list.txt').write_text('a')
    return root


def test_what_is_not_there_is_unknown(tmp_path):
    assert fingerprint(tmp_path / 'none') == UNKNOWN


def test_the_place_and_hidden_files_do_not_count(data, tmp_path):
    before = fingerprint(data)
    (data / '.cache').mkdir()
    (data / '.cache' / 'x').write_text('x')
    (data / '.hidden').write_text('x')
    assert fingerprint(data) == before
    data.rename(tmp_path / 'moved')
    assert fingerprint(tmp_path / 'moved') == before


def changed_text(root):
    (root / 'list.txt').write_text('b')


def longer_picture(root):
    (root / 'images' / 'a.jpg').write_bytes(b'123456')


def renamed_picture(root):
    (root / 'images' / 'a.jpg').rename(root / 'images' / 'b.jpg')


def one_more(root):
    (root / 'images' / 'c.png').write_bytes(b'')


@pytest.mark.parametrize(
    'change', [changed_text, longer_picture, renamed_picture, one_more]
)
@pytest.mark.parametrize('is_kept', [False, True])
def test_every_change_counts(data, tmp_path, change, is_kept):
    kept = tmp_path / 'kept' if is_kept else None
    before = fingerprint(data, kept)
    change(data)
    assert fingerprint(data, kept) != before


def test_a_picture_of_the_same_size_is_the_same(data):
    before = fingerprint(data)
    (data / 'images' / 'a.jpg').write_bytes(b'54321')
    assert fingerprint(data) == before


def test_an_archive_left_beside_counts_by_name_and_size(data):
    before = fingerprint(data)
    (data / 'images.tar.gz').write_bytes(b'123')
    with_it = fingerprint(data)
    (data / 'images.tar.gz').write_bytes(b'321')
    assert before != with_it == fingerprint(data)


def test_a_link_to_a_folder_above_is_followed_once(data):
    before = fingerprint(data)
    (data / 'images' / 'up').symlink_to(data)
    assert fingerprint(data) == before


def test_two_links_that_change_places_are_another_set(data):
    (data / 'parts' / 'one').mkdir(parents=True)
    (data / 'parts' / 'two').mkdir()
    (data / 'parts' / 'one' / 'a.txt').write_text('a')
    found = []
    for first, second in (('one', 'two'), ('two', 'one')):
        for name, part in (('train', first), ('val', second)):
            (data / name).unlink(missing_ok=True)
            (data / name).symlink_to(data / 'parts' / part)
        found.append(fingerprint(data))
    assert found[0] != found[1]


def test_links_to_each_other_end(data):
    (data / 'a').mkdir()
    (data / 'b').mkdir()
    (data / 'a' / 'to_b').symlink_to(data / 'b')
    (data / 'b' / 'to_a').symlink_to(data / 'a')
    (data / 'a' / 'x.txt').write_text('x')
    before = fingerprint(data)
    (data / 'a' / 'x.txt').write_text('y')
    assert fingerprint(data) != before


def test_a_kept_fingerprint_is_not_made_again(data, tmp_path, monkeypatch):
    """What has neither another time nor another size is not read."""
    kept = tmp_path / 'kept'
    before = fingerprint(data, kept)
    monkeypatch.setattr('mmdetxfer.study.fingerprint.sha256_of_file', None)
    assert fingerprint(data, kept) == before
    os.utime(data / 'list.txt', (1, 1))
    with pytest.raises(TypeError):
        fingerprint(data, kept)


def test_a_damaged_keeper_is_made_again(data, tmp_path):
    kept = tmp_path / 'kept'
    before = fingerprint(data, kept)
    (file,) = kept.iterdir()
    file.write_text('{')
    assert fingerprint(data, kept) == before


def test_a_file_has_its_own(data):
    one = fingerprint(data / 'list.txt')
    changed_text(data)
    assert fingerprint(data / 'list.txt') != one
