"""The columns that a planner reads and writes: boxes of images, chips of an epoch.

No Python object stands for a box or a chip: 1.7 million images with 14.6 million boxes
are 300 MB, and the 3.5 million chips of an epoch under 200 MB.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

# What a box of a table is to the planner.
TRUTH, PROPOSAL, IGNORED = 0, 1, 2


@dataclass(frozen=True)
class BoxTable:
    """The boxes of N images, one after the other.

    Args:
        widths: (N,) widths of the images in pixels.
        heights: (N,) heights.
        keys: (N,) uint64 that name the images, see ``image_keys``.
        offsets: (N + 1,) where each image's boxes begin.
        boxes: (M, 4) float32 inclusive corners in original pixels.
        kinds: (M,) TRUTH, PROPOSAL (drives negative chips) or IGNORED (difficult,
            crowd, group-of: drives nothing and is never valid). Boxes whose corners are
            swapped, or that are not a pixel wide or high, become IGNORED.
    """

    widths: np.ndarray
    heights: np.ndarray
    keys: np.ndarray
    offsets: np.ndarray
    boxes: np.ndarray
    kinds: np.ndarray

    def __post_init__(self) -> None:
        """Bring the columns to their types and check that they agree."""
        types = dict(
            widths=np.int32,
            heights=np.int32,
            keys=np.uint64,
            offsets=np.int64,
            boxes=np.float32,
            kinds=np.uint8,
        )
        for name, kind in types.items():
            column = np.ascontiguousarray(getattr(self, name), dtype=kind)
            object.__setattr__(self, name, column)
        num_images, num_boxes = len(self.widths), len(self.kinds)
        lengths = {len(self.heights), len(self.keys), len(self.offsets) - 1, num_images}
        if len(lengths) > 1 or self.boxes.shape != (num_boxes, 4):
            raise ValueError(
                'expected as many heights, keys and offsets (one more) as widths and a '
                f'kind for each box, got widths {num_images}, heights '
                f'{len(self.heights)}, keys {len(self.keys)}, offsets '
                f'{len(self.offsets)}, boxes {self.boxes.shape}, kinds {num_boxes}'
            )
        steps = np.diff(self.offsets)
        ends = (self.offsets[0], self.offsets[-1])
        if ends != (0, num_boxes) or (steps < 0).any():
            raise ValueError(
                f'offsets: expected to rise from 0 to {num_boxes} boxes, got '
                f'{ends[0]} to {ends[1]}, smallest step {steps.min(initial=0)}'
            )
        sides = np.minimum(self.widths, self.heights)
        if len(sides) and sides.min() < 1:
            raise ValueError(
                f'image {int(sides.argmin())}: expected a width and height of 1 pixel '
                f'at least, got {self.widths[sides.argmin()]} x '
                f'{self.heights[sides.argmin()]}; read the sizes from the files'
            )
        if not np.isfinite(self.boxes).all():
            bad = int(np.flatnonzero(~np.isfinite(self.boxes).all(1))[0])
            image = int(np.searchsorted(self.offsets, bad, side='right')) - 1
            raise ValueError(
                f'image {image}: box {self.boxes[bad].tolist()} is not finite'
            )

        is_empty = (self.boxes[:, 2:] < self.boxes[:, :2]).any(1)
        kinds = np.where(is_empty, np.uint8(IGNORED), self.kinds)
        object.__setattr__(self, 'kinds', kinds)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.widths)


class Chip(NamedTuple):
    """One chip with all that a worker needs; it points into no table.

    ``valid_boxes`` are numbers of boxes within the image's own. The corners are
    inclusive, in pixels of the scaled image; divided by ``factor`` they are in original
    pixels (of the mirrored image, if it is mirrored).
    """

    image_index: int
    is_mirrored: bool
    scale_index: int
    is_negative: bool
    factor: float
    corners: tuple[int, int, int, int]
    valid_boxes: tuple[int, ...]


@dataclass(frozen=True)
class ChipTable:
    """The chips of an epoch, column by column.

    Args:
        image_indices: (C,) int32.
        is_mirrored: (C,) bool.
        scale_indices: (C,) int8.
        is_negative: (C,) bool.
        factors: (C,) float64, from original to chip pixels.
        corners: (C, 4) int32 in scaled pixels, inclusive.
        valid_offsets: (C + 1,) int64: where each chip's valid boxes begin.
        valid_boxes: (V,) int32 numbers of boxes within their image.
    """

    image_indices: np.ndarray
    is_mirrored: np.ndarray
    scale_indices: np.ndarray
    is_negative: np.ndarray
    factors: np.ndarray
    corners: np.ndarray
    valid_offsets: np.ndarray
    valid_boxes: np.ndarray

    def __len__(self) -> int:
        """Return the number of chips."""
        return len(self.image_indices)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def chip(self, index: int) -> Chip:
        """Return one chip by itself."""
        first, last = self.valid_offsets[index : index + 2]
        return Chip(
            int(self.image_indices[index]),
            bool(self.is_mirrored[index]),
            int(self.scale_indices[index]),
            bool(self.is_negative[index]),
            float(self.factors[index]),
            tuple(self.corners[index].tolist()),
            tuple(self.valid_boxes[first:last].tolist()),
        )


def boxes_only_in(chips: ChipTable, rows: np.ndarray, others: np.ndarray) -> int:
    """Count the boxes that are valid in some of ``rows`` and in none of ``others``."""
    return len(np.setdiff1d(_valid_in(chips, rows), _valid_in(chips, others)))


def _valid_in(chips: ChipTable, rows: np.ndarray) -> np.ndarray:
    """Return a number for each box that is valid in a chip: image, side, box."""
    starts, stops = chips.valid_offsets[rows], chips.valid_offsets[rows + 1]
    counts = stops - starts
    # The places of all valid boxes of the rows, without a loop over rows.
    firsts = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    boxes = chips.valid_boxes[firsts + np.arange(counts.sum())].astype(np.int64)
    entries = chips.image_indices[rows].astype(np.int64) * 2 + chips.is_mirrored[rows]
    return np.unique((np.repeat(entries, counts) << 32) | boxes)
