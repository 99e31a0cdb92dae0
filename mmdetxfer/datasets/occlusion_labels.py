"""The occlusion labels of VOC2007 test (Hoiem et al. 2012), put to the right objects.

One file ``gt_ved_<class>.txt`` for each of seven classes: a header, then for each
object that is not difficult, in the order of test.txt and of the XML files, six fields
between tabs: a detector's answer and its score, occlusion (0 none to 3 high), visible
parts and sides, size ((w + 1)(h + 1) of VOC's corners), ratio. There is no image and no
box: the size alone tells whether rows and objects are in step, and is checked for each.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdetxfer.errors import UserError
from mmdetxfer.scoring import TrueObjects

UNKNOWN = -1
_SIZE_FIELD, _OCCLUSION_FIELD, _NUM_FIELDS = 4, 2, 6
_HIGHEST = 3


@dataclass(frozen=True)
class OcclusionLabels:
    """What is known of G objects.

    Args:
        occlusion: (G,) 0 none, 1 low, 2 medium, 3 high, UNKNOWN.
        is_truncated: (G,) cut by the image's border, out of the XML files.
        labels: Classes that have occlusion labels.
    """

    occlusion: np.ndarray
    is_truncated: np.ndarray
    labels: tuple[int, ...]


def read_occlusion(
    folder: str | Path,
    truth: TrueObjects,
    xml_files: Sequence[str | Path],
    classes: Sequence[str],
) -> OcclusionLabels:
    """Read the files of the classes that have one.

    Args:
        folder: Where ``gt_ved_<class>.txt`` lie.
        truth: The objects of VOC2007 test in its order, as mmdet reads them.
        xml_files: The annotation of each image, for what is truncated.
        classes: The class of each label.
    """
    folder = Path(folder)
    occlusion = np.full(len(truth.labels), UNKNOWN, dtype=np.int8)
    labels = []
    for label, name in enumerate(classes):
        path = folder / f'gt_ved_{name}.txt'
        if path.is_file():
            labels.append(label)
            own = np.flatnonzero((truth.labels == label) & ~truth.is_ignored)
            occlusion[own] = _file_occlusion(path, truth.boxes[own])
    if not labels:
        raise UserError(
            f'{folder}: expected files gt_ved_<class>.txt for some of '
            f'{", ".join(classes[:3])} ..., there is none'
        )
    truncated = _truncated(truth, xml_files, classes)
    return OcclusionLabels(occlusion, truncated, tuple(labels))


def _file_occlusion(path: Path, boxes: np.ndarray) -> np.ndarray:
    """Return the occlusion of a class's objects; sizes must be those of the boxes."""
    rows = [line for line in path.read_text().splitlines()[1:] if line.strip()]
    fields = [row.split('\t') for row in rows]
    if any(len(one) != _NUM_FIELDS for one in fields):
        raise UserError(
            f'{path}: expected {_NUM_FIELDS} fields between tabs in each row below the '
            'header'
        )
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    expected = (sides[:, 0] * sides[:, 1]).round().astype(np.int64)
    try:
        numbers = [
            (float(one[_SIZE_FIELD]), int(one[_OCCLUSION_FIELD])) for one in fields
        ]
    except ValueError as error:
        raise UserError(f'{path}: expected numbers, {error}') from error
    levels = np.array([level for _, level in numbers], dtype=np.int64)
    if ((levels < 0) | (levels > _HIGHEST)).any():
        raise UserError(
            f'{path}: expected occlusion from 0 to {_HIGHEST}, got {int(levels.max())}'
        )
    sizes = np.array([int(size) for size, _ in numbers], dtype=np.int64)
    if len(sizes) != len(expected) or (sizes != expected).any():
        pairs = zip(sizes, expected, strict=False)
        wrong = [k for k, (size, own) in enumerate(pairs) if size != own]
        place = wrong[0] if wrong else min(len(sizes), len(expected))
        raise UserError(
            f'{path}: expected a row for each of {len(expected)} objects that are not '
            f'difficult, with its size, got {len(sizes)} rows; the first that does not '
            f'fit is row {place + 1}; the labels are those of VOC2007 test in its order'
        )
    return levels.astype(np.int8)


def _truncated(
    truth: TrueObjects, xml_files: Sequence[str | Path], classes: Sequence[str]
) -> np.ndarray:
    """Return (G,) what the XML files call truncated."""
    known, flags = set(classes), []
    for number, path in enumerate(xml_files):
        root = ElementTree.parse(path).getroot()
        own = [
            (node.findtext('truncated') or '0').strip() == '1'
            for node in root.findall('object')
            if node.findtext('name') in known
        ]
        num_objects = int((truth.image_index == number).sum())
        if len(own) != num_objects:
            raise UserError(
                f'{path}: expected the {num_objects} objects of image {number}, got '
                f'{len(own)}; the XML files must be those of the test set, in its order'
            )
        flags.extend(own)
    return np.array(flags, dtype=bool)
