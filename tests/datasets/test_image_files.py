"""Damaged files are told from whole ones, whatever a decoder makes of them."""

import hashlib
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from mmdetxfer.datasets.image_files import bytes_problem, judge_image, judge_label_map

NO_END = 'truncated: JPEG without its end marker'


def encoded(ending: str, width: int = 60, height: int = 40) -> bytes:
    pixels = np.random.default_rng(0).integers(
        0, 255, (height, width, 3), dtype=np.uint8
    )
    return cv2.imencode(ending, cv2.GaussianBlur(pixels, (5, 5), 2))[1].tobytes()


@pytest.fixture
def judged(tmp_path):
    """Judge bytes as if they were a file."""

    def judge(content: bytes, function=judge_image):
        path = tmp_path / 'image'
        path.write_bytes(content)
        return function(str(path))

    return judge


@pytest.mark.parametrize('ending', ['.jpg', '.png', '.bmp', '.webp', '.tiff'])
def test_a_whole_file_has_a_size_and_a_hash(judged, ending):
    content = encoded(ending)
    found = judged(content)
    assert (found.problem, found.size, found.is_turned) == (None, (60, 40), False)
    assert found.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize('missing', [1, 2, 50, 700])
@pytest.mark.parametrize('is_lenient', [False, True])
def test_a_jpeg_without_its_end_is_truncated(judged, monkeypatch, missing, is_lenient):
    """Also where somebody has told Pillow to accept truncated files."""
    monkeypatch.setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', is_lenient)
    assert judged(encoded('.jpg')[:-missing]).problem == NO_END


def test_the_end_marker_of_an_embedded_preview_is_not_the_images(judged):
    content, preview = encoded('.jpg'), encoded('.jpg', 8, 8)
    header = b'\xff\xe1' + struct.pack('>H', len(preview) + 2) + preview
    with_preview = content[:2] + header + content[2:]
    assert judged(with_preview).problem is None
    assert judged(with_preview[:-2]).problem == NO_END


def test_bytes_around_the_parts_of_a_jpeg_are_no_problem(judged):
    """Fill bytes, markers without length, bytes of no part, bytes behind the end."""
    content = encoded('.jpg')
    assert judged(content + b'camera data').problem is None
    for between in (b'\xff\xff', b'\xff\x01', b'\x00\x07'):
        assert bytes_problem(content[:2] + between + content[2:]) is None


@pytest.mark.parametrize('length', [2, 20, 150])
def test_a_jpeg_that_ends_in_its_header_has_no_image_data(judged, length):
    content = encoded('.jpg')
    assert content.find(b'\xff\xda') > 150
    expected = 'truncated: JPEG without image data'
    assert judged(content[:length]).problem == expected


def test_junk_without_any_marker_has_no_image_data():
    assert (
        bytes_problem(b'\xff\xd8' + bytes(20)) == 'truncated: JPEG without image data'
    )


@pytest.mark.parametrize('missing', [1, 2, 12, 13, 400])
def test_a_png_without_its_last_chunk_is_truncated(judged, missing):
    found = judged(encoded('.png')[:-missing])
    assert found.problem == 'truncated: PNG without its last chunk'


def test_a_flipped_bit_in_a_png_is_a_wrong_check_sum(judged):
    content = bytearray(encoded('.png'))
    content[len(content) // 2] ^= 1
    expected = 'damaged: wrong check sum in PNG chunk IDAT'
    assert judged(bytes(content)).problem == expected


def test_a_png_with_right_check_sums_still_has_to_decode(judged):
    """The image data is one chunk here: zeros in its place, with their check sum."""
    content = encoded('.png')
    start = content.index(b'IDAT')
    (length,) = struct.unpack_from('>I', content, start - 4)
    chunk = b'IDAT' + bytes(length)
    check = struct.pack('>I', zlib.crc32(chunk))
    forged = content[:start] + chunk + check + content[start + 8 + length :]
    assert bytes_problem(forged) is None
    assert judged(forged).problem


@pytest.mark.parametrize('ending', ['.bmp', '.webp', '.tiff'])
def test_half_a_file_of_another_format_does_not_decode(judged, ending):
    content = encoded(ending)
    assert judged(content[: len(content) // 2]).problem


def test_other_files_are_named_for_what_they_are(judged, tmp_path):
    assert judged(b'').problem == 'empty file'
    assert judged(b'<html>not found</html>').problem == 'not an image'
    missing = judge_image(str(tmp_path / 'missing.jpg'))
    assert (missing.problem, missing.sha256) == ('No such file or directory', None)
    assert judge_image(str(tmp_path)).problem == 'Is a directory'


def test_the_size_is_the_one_that_the_loader_sees(tmp_path):
    """Orientation 6 is a quarter turn: stored 60x40 is loaded 40x60, as by OpenCV."""
    path = tmp_path / 'turned.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (60, 40)).save(path, exif=exif)
    found = judge_image(str(path))
    assert found.is_turned
    assert found.loaded_size(obeys_orientation=False) == (60, 40)
    assert found.loaded_size(obeys_orientation=True) == (40, 60)
    height, width = cv2.imread(str(path), cv2.IMREAD_COLOR).shape[:2]
    assert found.loaded_size(obeys_orientation=True) == (width, height)


def test_label_maps_are_counted_by_value(judged):
    """A 4x3 map with 5 pixels of value 7, 1 of 255 and 6 of 0."""
    values = np.zeros((3, 4), dtype=np.uint8)
    values.flat[:5], values[2, 3] = 7, 255
    found = judged(cv2.imencode('.png', values)[1].tobytes(), judge_label_map)
    assert found.value_counts == {0: 6, 7: 5, 255: 1}
    assert judged(encoded('.png')).value_counts is None


def test_a_label_map_has_one_channel(judged):
    found = judged(encoded('.png'), judge_label_map)
    assert found.problem == 'label map of mode RGB: expected one channel'
