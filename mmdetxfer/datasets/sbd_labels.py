"""SBD's segmentations (Hariharan et al. 2011) beside VOC2012's, as mmseg reads them.

mmseg's own converter asserts 10,582 images and writes its lists in the order of a set.
Here any number goes, lists are sorted, and what is there is not made again. Training
images are VOC's segmented ones and SBD's; VOC's val images are left out, since SBD has
them too.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from mmdetxfer.errors import UserError
from mmdetxfer.text_files import TEMPORARY_SUFFIX, write_text_atomically

LABELS, LISTS = 'SegmentationClassAug', 'ImageSets/Segmentation'
_MOST_LABEL = 20


@dataclass(frozen=True)
class SBDCounts:
    """What was found and made.

    Args:
        made: Label maps that were written now.
        kept: Those that were there.
        num_aug: Images of ``aug.txt``, SBD's without VOC's segmented ones.
        num_trainaug: Images of ``trainaug.txt``, these and VOC's train images.
    """

    made: int
    kept: int
    num_aug: int
    num_trainaug: int


def convert_sbd(
    voc2012: Path,
    sbd: Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> SBDCounts:
    """Write ``SegmentationClassAug`` and the lists ``aug.txt`` and ``trainaug.txt``.

    Args:
        voc2012: VOC2012's folder in the devkit.
        sbd: The folder that holds ``dataset/cls``.
        workers: Processes.
        progress: Told how many are done, and of how many.
    """
    lists = voc2012 / LISTS
    train, val = (_names(lists / f'{one}.txt') for one in ('train', 'val'))
    own = [_names(sbd / 'dataset' / f'{one}.txt') for one in ('train', 'val')]
    names = sorted({*own[0], *own[1]})
    aug = sorted(set(names) - {*train, *val})
    _refuse_missing(aug, voc2012 / 'JPEGImages', '.jpg', "SBD's list")
    _refuse_missing(names, sbd / 'dataset' / 'cls', '.mat', "SBD's list")
    folder = voc2012 / LABELS
    folder.mkdir(parents=True, exist_ok=True)
    left = [name for name in names if not (folder / f'{name}.png').is_file()]
    convert = partial(_convert, sbd / 'dataset' / 'cls', folder)
    if workers == 1:
        _report(map(convert, left), len(left), progress)
    else:
        with ProcessPoolExecutor(workers) as pool:
            _report(pool.map(convert, left, chunksize=16), len(left), progress)
    # Lists come last: with them the data set is complete.
    trainaug = sorted({*aug, *train})
    for name, members in (('aug', aug), ('trainaug', trainaug)):
        text = ''.join(f'{one}\n' for one in members)
        write_text_atomically(lists / f'{name}.txt', text)
    return SBDCounts(len(left), len(names) - len(left), len(aug), len(trainaug))


def read_sbd_labels(path: Path) -> np.ndarray:
    """Return (H, W) uint8 labels of a ``.mat`` file of ``dataset/cls``."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        labels = np.asarray(content['GTcls'][0]['Segmentation'][0])
    # Whatever scipy finds in a broken file.
    except Exception as error:
        raise UserError(
            f"{path}: expected SBD's GTcls with a Segmentation, it cannot be read "
            f'({type(error).__name__}: {error}); unpack the archive again'
        ) from error
    if labels.ndim != 2 or labels.max(initial=0) > _MOST_LABEL:
        raise UserError(
            f'{path}: expected a map of labels 0 to {_MOST_LABEL}, got shape '
            f'{labels.shape} with {labels.max(initial=0)}'
        )
    return labels.astype(np.uint8)


def _convert(source: Path, folder: Path, name: str) -> None:
    labels = read_sbd_labels(source / f'{name}.mat')
    temporary = folder / f'{name}{TEMPORARY_SUFFIX}'
    Image.fromarray(labels).save(temporary, 'PNG')
    os.replace(temporary, folder / f'{name}.png')


def _report(done, total: int, progress: Callable[[int, int], None] | None) -> None:
    for number, _ in enumerate(done, 1):
        if progress is not None:
            progress(number, total)


def _names(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError as error:
        raise UserError(
            f'{path}: expected a list of images there ({error.strerror}); name the '
            'folder VOCdevkit/VOC2012, and the one of SBD that holds dataset/'
        ) from error


def _refuse_missing(
    names: Sequence[str], folder: Path, suffix: str, whose: str
) -> None:
    missing = [name for name in names if not (folder / f'{name}{suffix}').is_file()]
    if missing:
        raise UserError(
            f'{folder}: expected all {len(names):,} images of {whose}, '
            f'{len(missing):,} are missing, first {missing[0]}{suffix}; unpack the '
            'archive again'
        )
