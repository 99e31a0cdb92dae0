"""Sizes of images: from headers, kept; or out of a CSV file."""

import subprocess
import sys

import numpy as np
import pytest
from toy_boxes import write_image

from mmdetxfer.datasets import image_sizes
from mmdetxfer.datasets.image_sizes import (
    changed_sizes,
    sizes_from_csv,
    sizes_from_headers,
)
from mmdetxfer.errors import UserError

IDS = np.array([b'a', b'b', b'c'])


@pytest.fixture
def images(tmp_path):
    for number, name in enumerate('abc'):
        write_image(tmp_path / 'images' / f'{name}.png', 20 + number, 10)
    return tmp_path


def read(folder, ids=IDS, **options):
    return sizes_from_headers(
        folder / 'images', ids, '.png', folder / 'cache', **options
    )


def test_sizes_are_read_from_the_headers_and_kept(images, monkeypatch):
    assert read(images).tolist() == [[20, 10], [21, 10], [22, 10]]
    monkeypatch.setattr(image_sizes, 'header_size', None)
    assert read(images).tolist() == [[20, 10], [21, 10], [22, 10]]


def test_a_file_without_a_header_is_looked_for_again_next_time(images):
    (images / 'images' / 'b.png').rename(images / 'elsewhere.png')
    (images / 'images' / 'c.png').write_text('no image')
    assert read(images).tolist() == [[20, 10], [-1, -1], [-1, -1]]
    (images / 'elsewhere.png').rename(images / 'images' / 'b.png')
    assert read(images).tolist() == [[20, 10], [21, 10], [-1, -1]]


def test_a_killed_reading_goes_on_where_it_was(images, monkeypatch):
    """Blocks of one image, kept at once; the second reading starts at the third."""
    monkeypatch.setattr(image_sizes, '_BLOCK_IMAGES', 1)
    monkeypatch.setattr(image_sizes, '_SECONDS_BETWEEN', -1.0)
    real, asked = image_sizes.header_size, []

    def dies_at_c(path):
        asked.append(path[-5])
        if path.endswith('c.png') and len(asked) == 3:
            raise KeyboardInterrupt
        return real(path)

    monkeypatch.setattr(image_sizes, 'header_size', dies_at_c)
    with pytest.raises(KeyboardInterrupt):
        read(images)
    reports = []
    found = read(images, report=lambda done, total: reports.append((done, total)))
    assert found.tolist() == [[20, 10], [21, 10], [22, 10]]
    assert asked == ['a', 'b', 'c', 'c'] and reports == [(3, 3)]


def test_what_was_kept_and_broke_is_read_again(images):
    read(images)
    (kept,) = (images / 'cache').glob('*.npy')
    kept.write_bytes(b'broken')
    assert read(images).tolist() == [[20, 10], [21, 10], [22, 10]]


def test_sizes_that_cannot_be_kept_are_an_error(images):
    (images / 'cache').write_text('a file')
    with pytest.raises(UserError, match='cannot be kept there'):
        read(images)


def test_several_processes_read_side_by_side(images):
    """Each keeps after every image; without a lock they take each other's files."""
    code = (
        'import sys, numpy as np\n'
        'from mmdetxfer.datasets import image_sizes\n'
        'image_sizes._BLOCK_IMAGES, image_sizes._SECONDS_BETWEEN = 1, -1.0\n'
        "ids = np.array([b'a', b'b', b'c'] * 30)\n"
        "print(image_sizes.sizes_from_headers(sys.argv[1] + '/images', ids, '.png', "
        "sys.argv[1] + '/cache').sum())\n"
    )
    command = [sys.executable, '-W', 'ignore', '-c', code, str(images)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    printed = [process.communicate(timeout=120)[0].strip() for process in running]
    assert printed == [str(30 * (20 + 21 + 22 + 30))] * 3


def test_images_of_another_size_than_was_kept_are_found(images):
    sizes = read(images)
    where = (images / 'images', IDS, '.png')
    assert changed_sizes(*where, sizes) == []
    write_image(images / 'images' / 'b.png', 99, 10)
    assert changed_sizes(*where, sizes) == [f'{images}/images/b.png']
    # Two of three are looked at, the first and the last.
    assert changed_sizes(*where, sizes, most=2) == []


def test_sizes_come_from_a_file_in_any_order(tmp_path):
    path = tmp_path / 'sizes.csv'
    path.write_text('Width,ImageID,Height,x\n5,b,6,0\n3,a,4,0\n7,c,8,0\n')
    assert sizes_from_csv(path, IDS[:2]).tolist() == [[3, 4], [5, 6]]


def test_sizes_that_are_missing_in_the_file_are_named(tmp_path):
    path = tmp_path / 'sizes.csv'
    path.write_text('ImageID,Width,Height\nb,5,6\n')
    with pytest.raises(UserError, match='sizes of 3 images, those of 2 are .*first a'):
        sizes_from_csv(path, IDS)
    path.write_text('ImageID,Width,Height\n')
    with pytest.raises(UserError, match='those of 3 are missing'):
        sizes_from_csv(path, IDS)
    path.write_text('ImageID,Width,Height\na,,6\n')
    with pytest.raises(UserError, match='expected an id and two numbers in each row'):
        sizes_from_csv(path, IDS)
    path.write_text('id,w,h\na,1,2\n')
    with pytest.raises(UserError, match='with the columns ImageID, Width, Height'):
        sizes_from_csv(path, IDS)
