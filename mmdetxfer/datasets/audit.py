"""What can be wrong with an annotated data set: plain functions on its columns.

Boxes are ``(M, 4)`` corners x1, y1, x2, y2 in pixels as the host's reader hands them on
(VOC files count from 1, which its readers subtract), so that a box over the whole image
is 0, 0, width, height and a box with x1 = x2 has no area. A box lies outside when it
passes the border by more than half a pixel, since real annotations are rounded. Each
box is counted under one reason, the first that holds in the order of :class:`Reason`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from mmdetxfer.datasets.annotations import Annotations

BORDER_TOLERANCE_PX = 0.5
MAX_EXAMPLES = 5


class Reason(StrEnum):
    """What the table counts, in the order of its rows."""

    READER = 'reader stops'
    ANNOTATION = 'unreadable annotation'
    IMAGE = 'unreadable image'
    LABEL_MAP = 'unreadable label map'
    SIZE = 'size differs'
    NOT_FINITE = 'box with NaN or infinity'
    SWAPPED = 'box with swapped corners'
    NO_AREA = 'box of no area'
    OUTSIDE = 'box outside the image'
    REPEATED_ID = 'id repeated'
    ZERO_ID = 'annotation id 0'
    UNKNOWN_CLASS = 'class unknown to the config'
    CLASS_ORDER = 'classes in another order'
    UNSEEN_CLASS = 'class never seen'
    EMPTY = 'image without objects'
    TWO_SPLITS = 'image in two splits'


BOX_REASONS = (Reason.NOT_FINITE, Reason.SWAPPED, Reason.NO_AREA, Reason.OUTSIDE)


@dataclass
class AuditTable:
    """Counts by reason, each with a few examples."""

    counts: Counter = field(default_factory=Counter)
    examples: dict[Reason, list[str]] = field(default_factory=dict)
    num_findings: Counter = field(default_factory=Counter)

    def add(self, reason: Reason, example: str, count: int = 1) -> None:
        """Add a finding, which may stand for several objects.

        The first few findings of a reason are kept as its examples.
        """
        self.counts[reason] += count
        self.num_findings[reason] += 1
        kept = self.examples.setdefault(reason, [])
        if len(kept) < MAX_EXAMPLES:
            kept.append(example)

    def rows(self) -> list[tuple[Reason, int, list[str]]]:
        """Return reason, count and examples of each reason that was found, in order."""
        return [(r, self.counts[r], self._shown(r)) for r in Reason if self.counts[r]]

    def _shown(self, reason: Reason) -> list[str]:
        kept = self.examples[reason]
        hidden = self.num_findings[reason] - len(kept)
        return [*kept, f'and {hidden} more'] if hidden else kept


def box_problems(boxes: np.ndarray, sizes: np.ndarray) -> dict[Reason, np.ndarray]:
    """Return for each reason which boxes it holds for.

    Args:
        boxes: (M, 4) corners in pixels.
        sizes: (M, 2) width and height of each box's image; nan where unknown.

    Returns:
        (M,) claims by reason; at most one is true for a box.
    """
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    x1, y1, x2, y2 = boxes.T
    width, height = np.asarray(sizes, dtype=float).reshape(-1, 2).T
    # An unknown size leaves the borders at 0 to be passed; fmax skips nan.
    overhang = np.fmax.reduce([-x1, -y1, x2 - width, y2 - height])
    claims = (
        ~np.isfinite(boxes).all(axis=1),
        (x2 < x1) | (y2 < y1),
        (x2 == x1) | (y2 == y1),
        overhang > BORDER_TOLERANCE_PX,
    )
    is_judged = np.zeros(len(boxes), dtype=bool)
    found = {}
    for reason, claim in zip(BOX_REASONS, claims, strict=True):
        found[reason] = claim & ~is_judged
        is_judged |= claim
    return found


def audit_boxes(
    table: AuditTable, annotations: Annotations, sizes: np.ndarray, where: str
) -> None:
    """Count the boxes that cannot be right.

    Args:
        table: What to add to.
        annotations: The data set.
        sizes: (N, 2) the images' sizes in pixels, stated or measured.
        where: Name of the split, for the examples.
    """
    if annotations.boxes is None or len(annotations.boxes) == 0:
        return
    sizes_of_boxes = sizes[annotations.object_images]
    boxes = annotations.boxes
    if annotations.are_relative:
        # Without a size (the image cannot be read) the shares themselves are judged.
        scales = np.where(np.isnan(sizes_of_boxes), 1, sizes_of_boxes)
        boxes = boxes * np.tile(scales, 2)
    for reason, claims in box_problems(boxes, sizes_of_boxes).items():
        for index in np.flatnonzero(claims):
            path = annotations.image_paths[annotations.object_images[index]]
            corners = ', '.join(f'{value:g}' for value in annotations.boxes[index])
            width, height = sizes_of_boxes[index]
            name = annotations.class_names[annotations.object_classes[index]]
            example = f'{where}: {path}: {name} at {corners} in {width:g}x{height:g}'
            table.add(reason, example)


def audit_ids(table: AuditTable, ids: Sequence, kind: str, where: str) -> None:
    """Count ids that occur again, and id 0 of annotations.

    COCOeval takes a match with the annotation of id 0 for no match.
    """
    for one, times in Counter(ids).items():
        if times > 1:
            text = f'{where}: {kind} id {one} occurs {times} times'
            table.add(Reason.REPEATED_ID, text, times - 1)
        if one == 0 and kind == 'annotation':
            text = f'{where}: COCOeval never counts a match with id 0'
            table.add(Reason.ZERO_ID, text, times)


def audit_empty(table: AuditTable, annotations: Annotations, where: str) -> None:
    """Count images without any object."""
    counts = np.bincount(
        annotations.object_images, minlength=len(annotations.image_paths)
    )
    for index in np.flatnonzero(counts == 0):
        table.add(Reason.EMPTY, f'{where}: {annotations.image_paths[index]}')


def audit_unknown_classes(
    table: AuditTable, counts: Mapping[str, int], classes: Sequence[str], where: str
) -> None:
    """Count the objects whose class the config does not have; readers drop them."""
    known = set(classes)
    for name, count in counts.items():
        if name not in known:
            objects = 'object' if count == 1 else 'objects'
            text = f'{where}: {name} ({count} {objects})'
            table.add(Reason.UNKNOWN_CLASS, text, count)


def audit_class_order(
    table: AuditTable, listed: Sequence[str] | None, classes: Sequence[str], where: str
) -> None:
    """Count the labels that stand for another class than the config says."""
    for label, (said, meant) in wrong_labels(listed, classes).items():
        text = f'label {label} is {meant} in the annotation, {said} in the config'
        table.add(Reason.CLASS_ORDER, f'{where}: {text}')


def wrong_labels(
    listed: Sequence[str] | None, classes: Sequence[str]
) -> dict[int, tuple[str, str]]:
    """Compare the order of an annotation's classes with the config's.

    Some readers number classes in the annotation's order, while everybody else reads
    the numbers by the config's. A class that the config does not have is no wrong
    label: it is an unknown class.

    Args:
        listed: The annotation's classes in the order that the labels follow, or None.
        classes: The config's classes.

    Returns:
        For each label that is read as another class: (the config's, the annotation's).
    """
    known = set(classes)
    pairs = enumerate(zip(classes, listed or (), strict=False))
    return {
        label: (said, meant)
        for label, (said, meant) in pairs
        if said != meant and meant in known
    }


def audit_unseen_classes(
    table: AuditTable, seen: Iterable[str], classes: Sequence[str], split: str
) -> None:
    """Count the config's classes that no object of a whole split has."""
    seen = set(seen)
    for name in classes:
        if name not in seen:
            table.add(Reason.UNSEEN_CLASS, f'{split}: {name}')


def audit_splits(
    table: AuditTable, hashes: Mapping[str, Mapping[str, str | None]]
) -> None:
    """Count the images whose content occurs in two splits or more.

    Args:
        table: What to add to.
        hashes: For each split the hash of each image file by its path.
    """
    places: dict[str, dict[str, str]] = {}
    for split, by_path in hashes.items():
        for path, sha256 in by_path.items():
            if sha256 is not None:
                places.setdefault(sha256, {}).setdefault(split, path)
    for by_split in places.values():
        if len(by_split) > 1:
            named = ' = '.join(f'{split}: {path}' for split, path in by_split.items())
            table.add(Reason.TWO_SPLITS, named)


def remapped_values(
    counts: Mapping[int, int],
    label_map: Mapping[int, int] | None,
    has_unlabelled_zero: bool,
) -> dict[int, int]:
    """Return a label map's pixel counts by the label that mmseg trains on.

    Args:
        counts: Pixels of each stored value.
        label_map: mmseg's map to the config's own classes, applied last, or None.
        has_unlabelled_zero: mmseg's ``reduce_zero_label``: 0 becomes 255, the others
            one less.
    """
    result: Counter = Counter()
    for value, count in counts.items():
        label = value
        if has_unlabelled_zero:
            label = 255 if value in (0, 255) else value - 1
        result[(label_map or {}).get(label, label)] += count
    return dict(result)
