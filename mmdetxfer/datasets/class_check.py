"""Which classes a training's data has, said in one line and found in a few seconds.

No image is read. Labels are counted through the host's reader, names that the reader
dropped in silence are looked for in the annotation files: in the XML files of as many
samples as the time allows, in the list of categories of a JSON file, in folder names.
Samples are gone through in an order that spreads over the data set, since many lists
are sorted by class.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import gcd
from pathlib import Path
from typing import Any

from mmdetxfer.datasets.annotation_files import listed_coco_classes, read_voc
from mmdetxfer.datasets.annotation_sources import (
    config_classes,
    folder_classes,
    host_kinds,
    labels_of,
    voc_files,
)
from mmdetxfer.datasets.audit import AuditTable, wrong_labels

_MOST_NAMES = 10
_GOLDEN_SECTION = 0.618


@dataclass
class SeenClasses:
    """What was found in the time that there was.

    Args:
        classes: The config's classes.
        counts: Objects of each label that a training takes, ignored ones left out.
        num_looked_at: Samples whose labels were counted.
        num_samples: Samples of the data set, repetitions left out.
        unknown: Names in the annotation that the config does not have.
        wrong: Labels that are read as another class, see :func:`wrong_labels`.
        has_labels: Whether samples tell their labels without an image being read.
    """

    classes: tuple[str, ...]
    counts: Counter
    num_looked_at: int = 0
    num_samples: int = 0
    unknown: dict[str, None] = field(default_factory=dict)
    wrong: dict[int, tuple[str, str]] = field(default_factory=dict)
    has_labels: bool = True

    def never_seen(self) -> list[str]:
        """Return the classes without an object, in the config's order."""
        named = enumerate(self.classes)
        return [name for label, name in named if not self.counts[label]]

    def is_wrong(self) -> bool:
        """Return whether a training on this data is not what its config says."""
        return bool(self.never_seen() or self.unknown or self.wrong) and self.has_labels

    def line(self) -> str:
        """Return one line that says it all."""
        parts = [f'classes: {len(self.classes)} in the config']
        if not self.has_labels:
            return f'{parts[0]}; their labels are in files that are not read here'
        unseen = self.never_seen()
        samples = f'{self.num_samples} samples'
        if self.num_looked_at < self.num_samples:
            samples = f'the {self.num_looked_at} of {samples} that time allowed'
        parts.append(f'{len(self.classes) - len(unseen)} seen in {samples} of train')
        if unseen:
            parts.append(f'never seen: {_named(unseen)}')
        if self.unknown:
            names = _named(list(self.unknown))
            parts.append(f'unknown in the annotation, and dropped: {names}')
        for label, (said, meant) in list(self.wrong.items())[:_MOST_NAMES]:
            parts.append(f'label {label} is {meant} in the annotation and not {said}')
        return '; '.join(parts)


def check_classes(dataset: Any, seconds: float) -> SeenClasses:
    """Count labels and look for unknown names.

    Args:
        dataset: A training's data set with any wrappers.
        seconds: Time for each of its data sets, and again for its annotation files.
    """
    seen = SeenClasses(config_classes(dataset), Counter())
    for labelled in labelled_datasets(dataset):
        seen.num_samples += len(labelled)
        _count_labels(seen, labelled, seconds)
    for leaf in unwrapped_datasets(dataset):
        names, ordered = _names_in_annotation(leaf, seconds)
        classes = config_classes(leaf)
        seen.unknown.update(dict.fromkeys(n for n in names if n not in set(classes)))
        seen.wrong.update(wrong_labels(ordered, classes))
    return seen


def labelled_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets whose labels are the config's: a part may have its own."""
    return unwrapped_datasets(dataset, stops_at='has_own_labels')


def unwrapped_datasets(dataset: Any, stops_at: str = '') -> Iterator[Any]:
    """Yield the data sets within wrappers that repeat, join, balance or cut.

    Args:
        dataset: The outermost.
        stops_at: An attribute of wrappers that are not looked into.
    """
    if stops_at and getattr(dataset, stops_at, False):
        yield dataset
        return
    inner = [getattr(dataset, name, None) for name in ('dataset', '_dataset')]
    inner.extend(getattr(dataset, 'datasets', None) or ())
    found = [one for one in inner if hasattr(one, 'metainfo')]
    if not found:
        yield dataset
    for one in found:
        yield from unwrapped_datasets(one, stops_at)


def spread_order(count: int) -> Iterator[int]:
    """Yield 0 to ``count`` - 1 once each, spread over all from the beginning on."""
    step = max(1, round(_GOLDEN_SECTION * count))
    while gcd(step, count) > 1:
        step += 1
    for k in range(count):
        yield k * step % count


def _count_labels(seen: SeenClasses, leaf: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    for index in spread_order(len(leaf)):
        info = leaf.get_data_info(index) if hasattr(leaf, 'get_data_info') else {}
        labels = labels_of(info)
        if labels is None:
            seen.has_labels = False
            return
        flags = [one.get('ignore_flag', 0) for one in info.get('instances', [])]
        flags = flags or [0] * len(labels)
        seen.counts.update(k for k, flag in zip(labels, flags, strict=True) if not flag)
        seen.num_looked_at += 1
        if time.monotonic() > end:
            return


def _names_in_annotation(
    leaf: Any, seconds: float
) -> tuple[Sequence[str], Sequence[str]]:
    """Return class names of the annotation, and those whose order the labels follow."""
    kinds = host_kinds(leaf)
    if {'mmdet.XMLDataset', 'mmpretrain.VOC'} & kinds:
        return list(_names_in_xml(leaf, seconds)), ()
    if 'mmdet.CocoDataset' in kinds:
        listed = listed_coco_classes(leaf.ann_file)
        known = set(config_classes(leaf))
        return listed, [name for name in listed if name in known]
    if 'mmpretrain.CustomDataset' in kinds:
        folders = folder_classes(leaf) or ()
        return folders, folders
    return (), ()


def _names_in_xml(leaf: Any, seconds: float) -> dict[str, None]:
    end = time.monotonic() + seconds
    names: dict[str, None] = {}
    for index in spread_order(len(leaf)):
        image = leaf.get_data_info(index)['img_path']
        files = voc_files(leaf, [Path(image).stem])
        names.update(
            dict.fromkeys(read_voc(files, AuditTable(), '', False).class_names)
        )
        if time.monotonic() > end:
            break
    return names


def _named(names: Sequence[str]) -> str:
    more = f' and {len(names) - _MOST_NAMES} more' if len(names) > _MOST_NAMES else ''
    return ', '.join(names[:_MOST_NAMES]) + more
