"""Judges one data set from its annotation and from what its files turned out to be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdetxfer.datasets.annotations import Annotations
from mmdetxfer.datasets.audit import (
    AuditTable,
    Reason,
    audit_boxes,
    audit_class_order,
    audit_empty,
    audit_unknown_classes,
    audit_unseen_classes,
    remapped_values,
)
from mmdetxfer.datasets.image_files import ImageFile

Files = Mapping[str, ImageFile]


@dataclass(frozen=True)
class AuditedSet:
    """A data set of a split.

    Args:
        split: Name of the split, or of the splits that it is the same for.
        dataset: The host's data set.
        annotations: What its raw files say.
        classes: The config's classes; if it names none, those of the data set.
        obeys_orientation: Whether the config's loader turns images by their EXIF entry.
        used: Numbers of images and objects that the host's reader hands on; None if it
            stops.
    """

    split: str
    dataset: Any
    annotations: Annotations
    classes: tuple[str, ...]
    obeys_orientation: bool
    used: tuple[int, int] | None


def audit_set(table: AuditTable, one: AuditedSet, files: Files) -> None:
    """Add to the table what is wrong with one data set, but for its split's classes."""
    annotations = one.annotations
    measured = [
        files[path].loaded_size(one.obeys_orientation) or (np.nan, np.nan)
        for path in annotations.image_paths
    ]
    sizes = np.array(measured, dtype=float).reshape(-1, 2)
    _audit_images(table, one, files, sizes)
    stated = annotations.image_sizes
    audit_boxes(
        table, annotations, np.where(np.isnan(stated), sizes, stated), one.split
    )
    if annotations.label_map_paths is None:
        audit_empty(table, annotations, one.split)
        if one.classes:
            counts = annotations.class_counts()
            audit_unknown_classes(table, counts, one.classes, one.split)
            listed = annotations.listed_classes
            audit_class_order(table, listed, one.classes, one.split)
    else:
        _audit_label_maps(table, one, files, sizes)


def audit_split_classes(
    table: AuditTable, sets: Sequence[AuditedSet], files: Files
) -> None:
    """Add the classes of the config that no data set of a split has."""
    seen: set[str] = set()
    for one in sets:
        classes = one.classes
        seen |= one.annotations.class_counts().keys()
        for path in one.annotations.label_map_paths or ():
            labels = _labels(one, files[path])
            seen |= {classes[label] for label in labels if label < len(classes)}
    audit_unseen_classes(table, seen, sets[0].classes, sets[0].split)


def _audit_images(
    table: AuditTable, one: AuditedSet, files: Files, sizes: np.ndarray
) -> None:
    stated = one.annotations.image_sizes
    for index, path in enumerate(one.annotations.image_paths):
        if files[path].problem is not None:
            table.add(Reason.IMAGE, f'{one.split}: {path}: {files[path].problem}')
        elif (
            not np.isnan(stated[index]).any() and (stated[index] != sizes[index]).any()
        ):
            turned = ' (turned by its EXIF entry)' if files[path].is_turned else ''
            said = f'{_times(stated[index])} in the annotation'
            found = f'{_times(sizes[index])} in the file{turned}'
            table.add(Reason.SIZE, f'{one.split}: {path}: {said}, {found}')


def _audit_label_maps(
    table: AuditTable, one: AuditedSet, files: Files, sizes: np.ndarray
) -> None:
    num_classes = len(one.classes)
    pixels_of_unknown: dict[int, int] = {}
    for index, path in enumerate(one.annotations.label_map_paths):
        found = files[path]
        if found.problem is not None:
            table.add(Reason.LABEL_MAP, f'{one.split}: {path}: {found.problem}')
            continue
        if not np.isnan(sizes[index]).any() and (found.size != sizes[index]).any():
            said = f'{_times(found.size)}, its image {_times(sizes[index])}'
            table.add(Reason.SIZE, f'{one.split}: {path}: {said}')
        labels = _labels(one, found)
        if not labels:
            table.add(Reason.EMPTY, f'{one.split}: {path}')
        for label, pixels in labels.items():
            if label >= num_classes > 0:
                before = pixels_of_unknown.get(label, 0)
                pixels_of_unknown[label] = before + pixels
    names = {f'label {k} of label maps': n for k, n in pixels_of_unknown.items()}
    for name, pixels in names.items():
        table.add(Reason.UNKNOWN_CLASS, f'{one.split}: {name} ({pixels} pixels)')


def _labels(one: AuditedSet, file: ImageFile) -> dict[int, int]:
    """Return the pixels of each label that counts in training."""
    dataset = one.dataset
    counts = remapped_values(
        file.value_counts or {}, dataset.label_map, dataset.reduce_zero_label
    )
    counts.pop(dataset.ignore_index, None)
    # The label that mmseg gives to what the config leaves out.
    counts.pop(255, None)
    return counts


def _times(size: Sequence[float]) -> str:
    return f'{size[0]:g}x{size[1]:g}'
