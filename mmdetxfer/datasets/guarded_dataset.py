"""A data set that says which image file could not be read.

The hosts' errors for a damaged file differ by decoder and often do not name it, and
``ignore_empty=True`` of mmcv's loader puts a random other sample in its place without a
word. Here every such failure becomes one kind of error that names the file, whatever
the nesting of data sets and transforms: a training may then replace the sample (see
``engine/unreadable_images.py``), evaluation and extraction stop with one line.

Only what goes wrong within ``LoadImageFromFile.transform`` counts; errors of all other
transforms pass as they are. A loader of another kind raises
:class:`UnreadableImageError` itself.
"""

import struct
import traceback
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from mmdetxfer.datasets.image_files import judge_image
from mmdetxfer.errors import UserError

# What reading and decoding raise: mmcv asserts on what OpenCV returns nothing for, and
# Pillow lets errors of its parts through. Errors of settings (ValueError) are not here.
_READING_ERRORS = (
    OSError,
    AssertionError,
    AttributeError,
    EOFError,
    SyntaxError,
    cv2.error,
    struct.error,
    zlib.error,
)


class UnreadableImageError(UserError):
    """An image file that cannot be read.

    Args:
        message: One line; or what torch makes of it when a worker process raised, of
            which the line is taken.
        path: The file.
        reason: Why it cannot be read.
    """

    def __init__(self, message: str, path: str = '', reason: str = '') -> None:
        name = f'{type(self).__name__}: '
        if message.startswith('Caught ') and name in message:
            message = message.rsplit(name, 1)[1].strip()
        super().__init__(message)
        self.path, self.reason = path, reason

    @classmethod
    def of(cls, path: str, reason: str) -> 'UnreadableImageError':
        """Make the error for a file."""
        return cls(
            f'{path} cannot be read ({reason}); restore the file or take it out of the '
            'annotation; tools/analysis_tools/audit_dataset.py lists all such files',
            path,
            reason,
        )


class GuardedDataset(Dataset):
    """Names the file when an image of a sample cannot be read.

    Everything but ``__getitem__`` is the wrapped data set's own. In a loader's config:
    ``dataset=dict(type=GuardedDataset, dataset=dict(type='CocoDataset', ...))``.
    """

    def __init__(self, dataset: Any) -> None:
        """Wrap a map-style data set, or build it from its config first."""
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        object.__setattr__(self, '_inner', dataset)
        _report_empty_images(dataset)

    def __getitem__(self, index: int) -> Any:
        """Take a sample; a file that cannot be read is an ``UnreadableImageError``."""
        try:
            return self._inner[index]
        except _READING_ERRORS as error:
            path = image_being_read(error)
            if path is None:
                raise
            said = str(error).splitlines() or [type(error).__name__]
            reason = judge_image(path).problem or said[0]
            raise UnreadableImageError.of(path, reason) from error

    def __len__(self) -> int:
        """Return the length of the wrapped data set."""
        return len(self._inner)

    def __getattr__(self, name: str) -> Any:
        """Read an attribute of the wrapped data set."""
        # Special methods are looked for when an object is copied or a batch is fetched.
        if name == '_inner' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute of the wrapped data set, as pipeline-switching hooks do."""
        setattr(self._inner, name, value)
        if name == 'pipeline':
            _report_empty_images(self._inner)

    def __getstate__(self) -> Any:
        """Travel to spawned workers."""
        return self._inner

    def __setstate__(self, inner: Any) -> None:
        """Arrive in a spawned worker."""
        object.__setattr__(self, '_inner', inner)


def guarded(dataset: Any) -> GuardedDataset:
    """Return the data set with the guard around it, once."""
    return dataset if isinstance(dataset, GuardedDataset) else GuardedDataset(dataset)


def image_being_read(error: BaseException) -> str | None:
    """Return the file that mmcv's image loader was reading when an error was raised.

    Args:
        error: An exception that was caught, with its traceback.

    Returns:
        The path, or None if the error came from elsewhere.
    """
    loading = LoadImageFromFile.transform.__code__
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is loading:
            return frame.f_locals['results'].get('img_path')
    return None


def _report_empty_images(dataset: Any) -> None:
    """Let loaders fail that were told to pass over what they cannot read."""
    for loader in _image_loaders_in(dataset):
        if loader.ignore_empty:
            loader.ignore_empty = False
            print_log(
                'LoadImageFromFile: ignore_empty is off, so that unreadable images are '
                'counted and named',
                'current',
            )


def _image_loaders_in(node: Any) -> Iterator[LoadImageFromFile]:
    """Yield the loaders in a data set, its wrapped ones, or nested transforms."""
    if isinstance(node, LoadImageFromFile):
        yield node
    if isinstance(node, (list, tuple)):
        parts = list(node)
    elif isinstance(node, dict):
        parts = list(node.values())
    elif isinstance(node, (BaseTransform, Compose)):
        parts = list(vars(node).values())
    else:
        names = ('pipeline', 'dataset', '_dataset', 'datasets')
        parts = [
            vars(node)[name] for name in names if name in getattr(node, '__dict__', {})
        ]
    for part in parts:
        yield from _image_loaders_in(part)
