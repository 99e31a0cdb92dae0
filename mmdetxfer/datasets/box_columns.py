"""The columns that a chip planner reads, out of any detection data set of the hosts.

Whatever wraps the data set (joined, repeated, balanced) is asked through
``get_data_info``. Sizes that the annotation lacks are read from the files' headers.
Boxes become inclusive corners: mmdet's ``XMLDataset`` and its children have them
already, the others end one pixel further.
"""

import time
from array import array
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdetxfer.chips import IGNORED, PROPOSAL, TRUTH, BoxTable, image_keys
from mmdetxfer.chips.counter_hash import hash_counters
from mmdetxfer.datasets.class_check import unwrapped_datasets
from mmdetxfer.datasets.image_files import header_size
from mmdetxfer.datasets.proposal_shards import read_proposals
from mmdetxfer.errors import UserError

_SECONDS_BETWEEN_REPORTS = 5.0
# mmdet's two OpenImages readers say it in two ways, and ignore no such box by itself.
_GROUP_FLAGS = ('is_group_of', 'is_group_ofs')


@dataclass(frozen=True)
class BoxColumns:
    """All boxes of a data set, as its reader has them; arrays may be changed.

    Args:
        ids: (N,) ids of the images.
        sizes: (N, 2) widths and heights; 0 where the annotation does not tell.
        offsets: (N + 1,) where each image's boxes begin.
        boxes: (M, 4) corners in pixels.
        labels: (M,) classes.
        kinds: (M,) TRUTH or IGNORED.
    """

    ids: Sequence[Hashable] | np.ndarray
    sizes: np.ndarray
    offsets: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray


def box_table(
    dataset: Any,
    say: Callable[[str], None] = print,
    proposals: str | None = None,
) -> BoxTable:
    """Return the boxes of all images of a data set, in its order.

    Args:
        dataset: A data set whose ``get_data_info`` has instances with boxes.
        say: Told how far the reading is, when it takes longer than some seconds.
        proposals: Folder of proposals; those of an image stand behind its boxes.
    """
    columns = box_columns(dataset, say)
    if proposals is not None:
        columns = _with_proposals(columns, *read_proposals(proposals, columns.ids))
    corners, states = columns.boxes, columns.kinds
    sizes = np.array(columns.sizes)
    without_size = np.flatnonzero((sizes < 1).any(1))
    if len(without_size):
        infos = (dataset.get_data_info(index) for index in without_size.tolist())
        found = _header_sizes([info['img_path'] for info in infos])
        for index, size in zip(without_size, found, strict=True):
            sizes[index] = size or (1, 1)
            if size is None:
                # No chip is cut out of what cannot be read; who loads it names it.
                own = slice(columns.offsets[index], columns.offsets[index + 1])
                states[own] = IGNORED
    if not has_inclusive_boxes(dataset):
        corners[:, 2:] -= 1
    return BoxTable(
        widths=sizes[:, 0],
        heights=sizes[:, 1],
        keys=_keys(columns.ids),
        offsets=columns.offsets,
        boxes=corners,
        kinds=states,
    )


def box_columns(dataset: Any, say: Callable[[str], None] = print) -> BoxColumns:
    """Return the boxes of a data set; its own columns, if it has some."""
    if hasattr(dataset, 'box_columns'):
        return dataset.box_columns()
    num_images = len(dataset)
    sizes = np.zeros((num_images, 2), dtype=np.int32)
    counts = np.zeros(num_images, dtype=np.int64)
    # Not lists: a Python object for each number would be gigabytes.
    ids, boxes, labels, kinds = [], array('f'), array('i'), array('b')
    report = Reporter('reading boxes', say)
    for index in range(num_images):
        info = dataset.get_data_info(index)
        instances = info.get('instances')
        if instances is None:
            raise UserError(
                f'chips: expected a detection data set, but item {index} of '
                f'{type(dataset).__name__} has no instances with boxes'
            )
        ids.append(info.get('img_id', index))
        if info.get('width') and info.get('height'):
            sizes[index] = info['width'], info['height']
        counts[index] = len(instances)
        for instance in instances:
            boxes.extend(instance['bbox'])
            labels.append(instance['bbox_label'])
            kinds.append(IGNORED if is_ignored(instance) else TRUTH)
        report(index + 1, num_images)
    return BoxColumns(
        ids=ids,
        sizes=sizes,
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        labels=np.array(labels, dtype=np.int32),
        kinds=np.array(kinds, dtype=np.uint8),
    )


def _with_proposals(
    columns: BoxColumns, offsets: np.ndarray, boxes: np.ndarray
) -> BoxColumns:
    """Return columns with the proposals of each image behind its boxes."""
    num_images = len(columns.offsets) - 1
    counts = [np.diff(one) for one in (columns.offsets, offsets)]
    images = np.concatenate([np.repeat(np.arange(num_images), one) for one in counts])
    order = np.argsort(images, kind='stable')
    kinds = np.full(len(boxes), PROPOSAL, dtype=np.uint8)
    labels = np.full(len(boxes), -1, dtype=columns.labels.dtype)
    return BoxColumns(
        ids=columns.ids,
        sizes=columns.sizes,
        offsets=columns.offsets + offsets,
        boxes=np.concatenate([columns.boxes, boxes])[order],
        labels=np.concatenate([columns.labels, labels])[order],
        kinds=np.concatenate([columns.kinds, kinds])[order],
    )


def is_ignored(instance: dict) -> bool:
    """Whether an object is neither to be found nor background: also a group."""
    return any(instance.get(name) for name in ('ignore_flag', *_GROUP_FLAGS))


class Reporter:
    """Says every few seconds how far a long loop is; a short one says nothing."""

    def __init__(self, what: str, say: Callable[[str], None]) -> None:
        """Begin to count the seconds."""
        self.what, self.say = what, say
        self.next_report = time.monotonic() + _SECONDS_BETWEEN_REPORTS

    def __call__(self, done: int, total: int | None = None) -> None:
        """Note that ``done`` of ``total``, if that is known, are done."""
        if time.monotonic() >= self.next_report:
            self.next_report = time.monotonic() + _SECONDS_BETWEEN_REPORTS
            of_total = '' if total is None else f' of {total:,}'
            self.say(f'{self.what}: {done:,}{of_total}')


def has_inclusive_boxes(dataset: Any) -> bool:
    """Whether boxes end with their last pixel, and not one further.

    mmdet keeps VOC's corners, less 1 for counting from 0.
    """
    found = set()
    for leaf in unwrapped_datasets(dataset):
        names = {kind.__name__ for kind in type(leaf).__mro__}
        found.add('XMLDataset' in names)
    if len(found) > 1:
        raise UserError(
            'boxes: the data set joins some whose boxes end with their last pixel '
            "(mmdet's XMLDataset) and some whose boxes end one further; make two"
        )
    return found.pop()


def _keys(ids: list) -> np.ndarray:
    """Return a key for each image; an image that comes again gets another one."""
    keys = image_keys(ids)
    order = np.argsort(keys, kind='stable')
    is_new = np.diff(keys[order], prepend=~keys[order[:1]]) != 0
    starts = np.maximum.accumulate(np.where(is_new, np.arange(len(keys)), 0))
    occurrences = np.empty(len(keys), dtype=np.int64)
    occurrences[order] = np.arange(len(keys)) - starts
    return hash_counters(keys, occurrences) if len(keys) else keys


def _header_sizes(paths: list[str]) -> list[tuple[int, int] | None]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(header_size, paths))
