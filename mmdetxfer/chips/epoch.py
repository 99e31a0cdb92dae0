"""Plans the chips of a whole epoch, in blocks of images over threads.

The chips are a pure function of (seed, epoch, image key): each image's draws come from
a hash of these, so blocks, threads and the order of images do not matter.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np

from mmdetxfer.chips import reference
from mmdetxfer.chips.counter_hash import hash_counters
from mmdetxfer.chips.kernels import plan_entries
from mmdetxfer.chips.plan import ChipPlan
from mmdetxfer.chips.tables import BoxTable, ChipTable

# Large enough to keep a thread busy for a tenth of a second, small in memory.
_BLOCK_ENTRIES = 16384
# The stream of the strides; those of images follow the image's key.
_STRIDE = 0x5354


class _Rules(NamedTuple):
    """The plan's numbers, as the kernels take them."""

    chip_px: int
    longer: int
    low: np.ndarray
    high: np.ndarray
    side_limit: float
    long_from: float
    num_negatives: int


class _Columns(NamedTuple):
    widths: np.ndarray
    heights: np.ndarray
    keys: np.ndarray
    offsets: np.ndarray
    boxes: np.ndarray
    kinds: np.ndarray


class _Output(NamedTuple):
    entries: np.ndarray
    scales: np.ndarray
    is_negative: np.ndarray
    corners: np.ndarray
    valid_ends: np.ndarray
    valid_boxes: np.ndarray


def epoch_stride(plan: ChipPlan, seed: int, epoch: int) -> int:
    """Return the stride of the candidates of all images and scales in an epoch."""
    low, high = plan.stride_range_px
    drawn = hash_counters(_checked('seed', seed), _checked('epoch', epoch), _STRIDE)[0]
    return low + int(drawn % np.uint64(high - low + 1))


def plan_epoch(
    table: BoxTable,
    plan: ChipPlan,
    seed: int,
    epoch: int,
    *,
    backend: Literal['numba', 'numpy'] = 'numba',
    num_threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ChipTable:
    """Plan the chips of all images, and of their mirrored copies.

    Args:
        table: The boxes of the images.
        plan: How chips are cut.
        seed: Of the run; 0 or more.
        epoch: Number of the epoch; 0 or more.
        backend: 'numba', or 'numpy' for the slow reference with equal output.
        num_threads: Threads of the numba backend; they hold no GIL.
        progress: Called with (entries planned, entries in all) after each block.

    Returns:
        The chips: image by image, the mirrored copies behind; within an image from the
        finest scale to the coarsest, in the order of choice, negative ones last.
    """
    stride = epoch_stride(plan, seed, epoch)
    factors = plan.factors(table.widths, table.heights)
    if backend == 'numpy':
        parts = [_plan_by_reference(table, plan, factors, (seed, epoch), stride)]
    elif backend == 'numba':
        state = hash_counters(seed, epoch)[0]
        parts = _plan_blocks(table, plan, factors, state, stride, num_threads, progress)
    else:
        raise ValueError(f"backend: expected 'numba' or 'numpy', got {backend!r}")
    return _joined(parts, len(table), factors)


def _checked(name: str, value: int) -> int:
    if not 0 <= value < 1 << 63:
        raise ValueError(f'{name}: expected 0 or more, below 2 ** 63, got {value}')
    return value


def _num_entries(table: BoxTable, plan: ChipPlan) -> int:
    return len(table) * (2 if plan.has_mirrored_copies else 1)


def _plan_blocks(
    table: BoxTable,
    plan: ChipPlan,
    factors: np.ndarray,
    state: np.uint64,
    stride: int,
    num_threads: int,
    progress: Callable[[int, int], None] | None,
) -> list[_Output]:
    limit = plan.side_limit_px
    rules = _Rules(
        plan.chip_px,
        int(plan.as_original),
        np.array([low for low, _ in plan.valid_ranges]),
        np.array([high for _, high in plan.valid_ranges]),
        -1.0 if limit is None else float(limit),
        np.inf if limit is None else float(limit),
        plan.num_negatives,
    )
    columns = _Columns(*(getattr(table, name) for name in _Columns._fields))
    num_entries = _num_entries(table, plan)

    def block(first: int) -> _Output:
        stop = min(first + _BLOCK_ENTRIES, num_entries)
        out = _room(table, plan, first, stop)
        num_chips, num_valid = plan_entries(
            first, stop, columns, factors, state, stride, rules, out
        )
        kept = [column[:num_chips].copy() for column in out[:-1]]
        return _Output(*kept, out.valid_boxes[:num_valid].copy())

    parts: list[_Output] = []
    with ThreadPoolExecutor(num_threads) as pool:
        starts = range(0, max(num_entries, 1), _BLOCK_ENTRIES)
        for number, part in enumerate(pool.map(block, starts), 1):
            parts.append(part)
            if progress is not None:
                progress(min(number * _BLOCK_ENTRIES, num_entries), num_entries)
    return parts


def _room(table: BoxTable, plan: ChipPlan, first: int, stop: int) -> _Output:
    """Return arrays for the most that a block can give: each chip covers a box."""
    num_images = len(table)
    images = np.arange(first, stop) % num_images
    sizes = table.offsets[images + 1] - table.offsets[images]
    most = int(sizes.sum()) * plan.num_scales
    most_chips = most + plan.num_negatives * len(images)
    return _Output(
        np.empty(most_chips, np.int32),
        np.empty(most_chips, np.int8),
        np.empty(most_chips, np.bool_),
        np.empty((most_chips, 4), np.int32),
        np.empty(most_chips, np.int64),
        np.empty(most * (2 if plan.num_negatives else 1), np.int32),
    )


def _plan_by_reference(
    table: BoxTable,
    plan: ChipPlan,
    factors: np.ndarray,
    seed_and_epoch: tuple[int, int],
    stride: int,
) -> _Output:
    rows, valid_boxes, valid_ends = [], [], []
    for entry in range(_num_entries(table, plan)):
        image, is_mirrored = entry % len(table), entry >= len(table)
        boxes = slice(*table.offsets[image : image + 2])
        one = reference.Entry(
            table.boxes[boxes].astype(np.float64),
            table.kinds[boxes],
            int(table.widths[image]),
            int(table.heights[image]),
            factors[image],
            hash_counters(*seed_and_epoch, table.keys[image], is_mirrored)[0],
            is_mirrored,
        )
        for chip in reference.plan_image(one, plan, stride):
            rows.append((entry, chip.scale_index, chip.is_negative, *chip.corners))
            valid_boxes += chip.valid_boxes
            valid_ends.append(len(valid_boxes))
    numbers = np.array(rows, dtype=np.int64).reshape(-1, 7)
    return _Output(
        numbers[:, 0].astype(np.int32),
        numbers[:, 1].astype(np.int8),
        numbers[:, 2].astype(np.bool_),
        numbers[:, 3:].astype(np.int32),
        np.array(valid_ends, dtype=np.int64),
        np.array(valid_boxes, dtype=np.int32),
    )


def _joined(parts: list[_Output], num_images: int, factors: np.ndarray) -> ChipTable:
    """Return the blocks as one table."""
    counts = [0, *(len(part.valid_boxes) for part in parts)]
    starts = np.cumsum(counts)
    ends = [part.valid_ends + start for part, start in zip(parts, starts, strict=False)]
    entries, scales, is_negative, corners = (
        np.concatenate([part[column] for part in parts]) for column in range(4)
    )
    images = entries % num_images
    return ChipTable(
        image_indices=images,
        is_mirrored=entries >= num_images,
        scale_indices=scales,
        is_negative=is_negative,
        factors=factors[images, scales],
        corners=corners,
        valid_offsets=np.concatenate([np.zeros(1, np.int64), *ends]),
        valid_boxes=np.concatenate([part.valid_boxes for part in parts]),
    )
