"""Whether an image file is whole, judged from its bytes.

Decoders disagree about damaged files: OpenCV 4 fills the rest of a truncated JPEG with
grey, OpenCV 5 returns nothing, Pillow obeys a global switch. Here a JPEG needs its end
marker behind its first scan, a PNG needs every chunk with a right check sum and its
last chunk, and then Pillow has to decode the file. A JPEG is decoded at an eighth of
its size, which reads all of its data in half the time. Sizes are (width, height) in
pixels.
"""

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_JPEG_SCAN = 0xDA
_JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_PNG_START = b'\x89PNG\r\n\x1a\n'
_EXIF_ORIENTATION = 0x0112
_TURNED_ORIENTATIONS = range(5, 9)
_REDUCED_BY = 8


@dataclass(frozen=True)
class ImageFile:
    """What a file's bytes say.

    Args:
        path: The file.
        problem: Why the image cannot be used, or None.
        size: Stored width and height; None where they are unknown.
        is_turned: Whether the EXIF orientation swaps width and height on loading.
        sha256: Hash of the content, None for a file that cannot be opened.
        value_counts: For a label map, the number of pixels of each value.
    """

    path: str
    problem: str | None = None
    size: tuple[int, int] | None = None
    is_turned: bool = False
    sha256: str | None = None
    value_counts: dict[int, int] | None = None

    def loaded_size(self, obeys_orientation: bool) -> tuple[int, int] | None:
        """Return the size that a loader sees, which may obey the EXIF orientation."""
        if self.size is not None and self.is_turned and obeys_orientation:
            return self.size[::-1]
        return self.size


def judge_image(path: str) -> ImageFile:
    """Read one image file and say whether it is whole."""
    return _judged(path, with_values=False)


def header_size(path: str) -> tuple[int, int] | None:
    """Return the width and height that a loader sees, from the file's header alone.

    None if the file has no readable header.
    """
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(_EXIF_ORIENTATION)
            size = image.size
    except (OSError, SyntaxError, ValueError):
        return None
    return size[::-1] if orientation in _TURNED_ORIENTATIONS else size


def judge_label_map(path: str) -> ImageFile:
    """Read one segmentation label map, say whether it is whole, count its values."""
    return _judged(path, with_values=True)


def _judged(path: str, with_values: bool) -> ImageFile:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return ImageFile(path, error.strerror or type(error).__name__)
    sha256 = hashlib.sha256(content).hexdigest()
    problem = bytes_problem(content)
    if problem is not None:
        return ImageFile(path, problem, sha256=sha256)
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as image:
            warnings.simplefilter('ignore')
            size = image.size
            counts = _value_counts(image) if with_values else _decode(image)
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    # Pillow's decoders let any kind of error of a damaged file through.
    except Exception as error:
        return ImageFile(path, _first_line(error), sha256=sha256)
    is_turned = orientation in _TURNED_ORIENTATIONS
    return ImageFile(path, None, size, is_turned, sha256, counts)


def bytes_problem(content: bytes) -> str | None:
    """Return what is wrong with a file's structure, or None.

    Only JPEG and PNG are looked into; other formats are left to their decoder.
    """
    if not content:
        return 'empty file'
    if content.startswith(_JPEG_START):
        return _jpeg_problem(content)
    if content.startswith(_PNG_START):
        return _png_problem(content)
    return None


def _jpeg_problem(content: bytes) -> str | None:
    """Look for the end marker behind the first scan.

    An embedded preview has an end marker of its own, but in a header; in the scan
    itself the two bytes cannot occur.
    """
    position = len(_JPEG_START)
    while position + 4 <= len(content):
        if content[position] != 0xFF:
            # Bytes that belong to no segment; decoders skip them.
            position = content.find(b'\xff', position)
            if position < 0:
                break
            continue
        marker = content[position + 1]
        if marker == _JPEG_SCAN:
            is_ended = content.find(_JPEG_END, position) > 0
            return None if is_ended else 'truncated: JPEG without its end marker'
        if marker == 0xFF:
            position += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            position += 2
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], 'big')
    return 'truncated: JPEG without image data'


def _png_problem(content: bytes) -> str | None:
    position = len(_PNG_START)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from('>I', content, position)
        kind = content[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(content):
            break
        (stated,) = struct.unpack_from('>I', content, end)
        if zlib.crc32(content[position + 4 : end]) != stated:
            return f'damaged: wrong check sum in PNG chunk {kind.decode("latin-1")}'
        if kind == b'IEND':
            return None
        position = end + 4
    return 'truncated: PNG without its last chunk'


def _decode(image: Image.Image) -> None:
    if image.format == 'JPEG':
        image.draft(None, [max(1, side // _REDUCED_BY) for side in image.size])
    image.load()


def _value_counts(image: Image.Image) -> dict[int, int]:
    values = np.asarray(image)
    if values.ndim != 2:
        raise ValueError(f'label map of mode {image.mode}: expected one channel')
    found, counts = np.unique(values, return_counts=True)
    return {int(v): int(n) for v, n in zip(found, counts, strict=True)}


def _first_line(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return 'not an image'
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
