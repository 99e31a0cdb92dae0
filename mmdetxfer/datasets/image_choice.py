"""Which images of a data set a part of it keeps: shares, caps, classes left out.

The choice is a function of (seed, image id) alone, and nested: the images of a smaller
share are among those of a larger one.
"""

from dataclasses import dataclass

import numpy as np

from mmdetxfer.chips import IGNORED, TRUTH
from mmdetxfer.chips.counter_hash import hash_counters
from mmdetxfer.datasets.box_columns import BoxColumns

# What a draw is for, so that two draws of a seed differ.
_IMAGES, _CLASSES = 0, 1


@dataclass(frozen=True)
class Choice:
    """What is kept.

    Args:
        rows: (R,) rising numbers of the images that are kept.
        is_ignored: (M,) boxes of the whole data set that become ignored.
        classes: Labels that are kept, rising; their places are the new labels.
    """

    rows: np.ndarray
    is_ignored: np.ndarray
    classes: np.ndarray


def chosen_classes(
    num_classes: int, excluded: np.ndarray, count: int | None, seed: int
) -> np.ndarray:
    """Return ``count`` of the labels that are not excluded, rising.

    More of them hold the fewer.
    """
    labels = np.setdiff1d(np.arange(num_classes), excluded)
    if count is None:
        return labels
    order = np.argsort(hash_counters(seed, _CLASSES, labels))
    return np.sort(labels[order[:count]])


def choose_images(
    columns: BoxColumns,
    keys: np.ndarray,
    seed: int,
    classes: np.ndarray,
    excluded: np.ndarray,
    ignores_excluded: bool = False,
    fraction: float = 1.0,
    max_instances: int | None = None,
) -> Choice:
    """Choose images, in this order: by class, by share, by the number of boxes.

    Args:
        columns: The boxes of N images.
        keys: (N,) uint64 that name the images.
        seed: Of the choice.
        classes: Labels that are kept; boxes of others become ignored, images without a
            kept one go. No other label is background: it is there, unlabelled.
        excluded: Labels whose images go altogether.
        ignores_excluded: Whether such images stay instead, those boxes ignored.
        fraction: Share of the images that are left.
        max_instances: The most boxes that are kept; images are taken until the next
            one would exceed it.
    """
    num_images = len(columns.offsets) - 1
    images = np.repeat(np.arange(num_images), np.diff(columns.offsets))
    is_excluded = np.isin(columns.labels, excluded)
    is_other = ~np.isin(columns.labels, classes) | is_excluded
    counts = (columns.kinds == TRUTH) & ~is_other
    num_valid = np.bincount(images[counts], minlength=num_images)
    is_kept = num_valid > 0
    if not ignores_excluded:
        is_kept &= np.bincount(images[is_excluded], minlength=num_images) == 0
    rows = np.flatnonzero(is_kept)
    rows = rows[np.argsort(hash_counters(seed, _IMAGES, keys[rows]), kind='stable')]
    rows = rows[: round(fraction * len(rows))]
    if max_instances is not None:
        rows = rows[np.cumsum(num_valid[rows]) <= max_instances]
    kept = np.setdiff1d(classes, excluded)
    return Choice(np.sort(rows), is_other, kept)


def chosen_columns(columns: BoxColumns, choice: Choice) -> BoxColumns:
    """Return the boxes of the chosen images, with the new labels."""
    starts, stops = columns.offsets[choice.rows], columns.offsets[choice.rows + 1]
    counts = stops - starts
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
    is_ignored = choice.is_ignored[places]
    labels = np.searchsorted(choice.classes, columns.labels[places])
    ids = columns.ids
    if not isinstance(ids, np.ndarray):
        ids = np.array(ids, dtype=object)
    return BoxColumns(
        ids=ids[choice.rows],
        sizes=columns.sizes[choice.rows],
        offsets=offsets,
        boxes=columns.boxes[places],
        labels=np.where(is_ignored, 0, labels),
        kinds=np.where(is_ignored, IGNORED, columns.kinds[places]).astype(np.uint8),
    )
