"""Pictures inside a report's only file, within the size that it may have."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmdetxfer.errors import UserError

LIMIT_BYTES = 20_000_000
# What is tried in turn where pictures are too large: longest side in pixels, and the
# quality of a JPEG.
_SMALLER = ((1800, 85), (1200, 75), (800, 60))


@dataclass(frozen=True)
class Picture:
    """A picture as it stands in the page.

    Args:
        kind: Its media type.
        content: Its bytes.
        size: Width and height in pixels, None for one that is drawn at any size.
    """

    kind: str
    content: bytes
    size: tuple[int, int] | None

    @property
    def uri(self) -> str:
        """The picture as an address that holds it."""
        return f'data:{self.kind};base64,{base64.b64encode(self.content).decode()}'


def read_picture(path: Path) -> Picture:
    """Read a PNG, JPEG or SVG file; ``UserError`` for anything else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f'the figure {path} cannot be read ({error.strerror}); run the study again'
        ) from error
    for kind, start in (('image/png', b'\x89PNG\r\n'), ('image/jpeg', b'\xff\xd8\xff')):
        if content.startswith(start):
            return Picture(kind, content, _size_of(path, content))
    if b'<svg' in content[:2000]:
        return Picture('image/svg+xml', content, None)
    raise UserError(f'the figure {path} is neither a PNG, a JPEG nor an SVG file')


def _size_of(path: Path, content: bytes) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.size
    except OSError as error:
        raise UserError(f'the figure {path} is damaged; run the study again') from error


def fitting_pictures(paths: Sequence[Path], used_bytes: int) -> dict[Path, Picture]:
    """Read pictures, as smaller JPEGs where they would not fit.

    Args:
        paths: Their files, each as often as it is shown.
        used_bytes: What the page takes without them.

    Raises:
        UserError: They do not fit however small they are made.
    """
    pictures = {path: read_picture(path) for path in paths}
    for longest_px, quality in _SMALLER:
        if used_bytes + _encoded_bytes(pictures[path] for path in paths) <= LIMIT_BYTES:
            return pictures
        pictures = {
            path: _smaller(picture, longest_px, quality)
            for path, picture in pictures.items()
        }
    total = used_bytes + _encoded_bytes(pictures[path] for path in paths)
    if total <= LIMIT_BYTES:
        return pictures
    largest = max(pictures, key=lambda path: len(pictures[path].content), default=None)
    raise UserError(
        f'the report would have {total / 1e6:.1f} MB, more than the '
        f'{LIMIT_BYTES / 1e6:.1f} that it may have, with {len(pictures)} pictures as '
        f'small as they can be (the largest: {largest}): leave parts out'
    )


def _encoded_bytes(pictures: Iterable[Picture]) -> int:
    return sum(len(one.content) * 4 // 3 + 40 for one in pictures)


def _smaller(picture: Picture, longest_px: int, quality: int) -> Picture:
    """Return a picture as a JPEG on white, or itself where that is no smaller."""
    if picture.size is None:
        return picture
    from PIL import Image

    image = Image.open(io.BytesIO(picture.content)).convert('RGBA')
    page = Image.new('RGB', image.size, 'white')
    page.paste(image, mask=image)
    page.thumbnail((longest_px, longest_px))
    stream = io.BytesIO()
    page.save(stream, 'JPEG', quality=quality, optimize=True)
    if stream.tell() >= len(picture.content):
        return picture
    return Picture('image/jpeg', stream.getvalue(), page.size)
