"""Label maps as PNG files with VOC's palette, which OpenCV cannot write."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_INDEXED = 3


def voc_palette() -> np.ndarray:
    """Return VOC's (256, 3) uint8 colours.

    Bits 0, 1 and 2 of the number are the highest bits of red, green and blue, bits 3, 4
    and 5 the next ones, and so on.
    """
    numbers = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        channel, place = bit % 3, 7 - bit // 3
        colours[:, channel] |= (((numbers >> bit) & 1) << place).astype(np.uint8)
    return colours


def palette_png(values: np.ndarray) -> bytes:
    """Return an (H, W) uint8 map as the bytes of an indexed PNG in VOC's colours."""
    height, width = values.shape
    header = struct.pack('>IIBBBBB', width, height, 8, _INDEXED, 0, 0, 0)
    # Every row begins with the number of its filter; 0 is none.
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = values
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        (
            _chunk(b'IHDR', header),
            _chunk(b'PLTE', voc_palette().tobytes()),
            _chunk(b'IDAT', zlib.compress(rows.tobytes(), 6)),
            _chunk(b'IEND', b''),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', check)
