"""Indexed PNG files, read back by Pillow and by OpenCV."""

import io

import cv2
import numpy as np
from PIL import Image

from mmdetxfer.worlds.palette_png import palette_png, voc_palette


def test_voc_colours_are_those_of_the_devkit():
    """aeroplane (1), person (15), tvmonitor (20) and void (255) of VOC's label key."""
    colours = voc_palette().tolist()

    assert colours[0] == [0, 0, 0]
    assert colours[1] == [128, 0, 0]
    assert colours[15] == [192, 128, 128]
    assert colours[20] == [0, 64, 128]
    assert colours[255] == [224, 224, 192]
    assert len({tuple(colour) for colour in colours}) == 256


def test_pillow_reads_the_numbers_and_the_palette():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)[:, :13]

    picture = Image.open(io.BytesIO(palette_png(values)))

    assert picture.mode == 'P'
    assert (np.array(picture) == values).all()
    assert (np.array(picture.convert('RGB')) == voc_palette()[values]).all()


def test_opencv_reads_the_colours():
    values = np.array([[0, 1, 255]], np.uint8)

    read = cv2.imdecode(np.frombuffer(palette_png(values), np.uint8), cv2.IMREAD_COLOR)

    assert read[..., ::-1].tolist() == voc_palette()[values].tolist()
