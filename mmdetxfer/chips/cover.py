"""Candidate chips of a scaled image, and a greedy cover of its boxes by few of them.

The candidates stand in this order, duplicates kept: the corners top right, bottom left
and bottom right; the grid, column by column; the right border, downwards; the bottom
border, to the right. The top left corner is the grid's first. A grid exists only where
the image is larger than a chip.
"""

import numpy as np

from mmdetxfer.chips.boxes import contains


def candidate_chips(
    width: int, height: int, chip_px: int, stride: int, as_original: bool = True
) -> np.ndarray:
    """Return all windows of a scaled image that may become chips.

    Args:
        width: Of the scaled image.
        height: Of the scaled image.
        chip_px: Side of a chip.
        stride: Of the grid.
        as_original: Whether chips at the right and bottom borders are one pixel longer,
            as in SNIPER's code.

    Returns:
        (N, 4) int64 inclusive corners.
    """
    last_x, last_y = width - 1, height - 1
    right, bottom = max(width - chip_px, 0), max(height - chip_px, 0)
    longer = int(as_original)
    end_x, end_y = (min(chip_px - 1 + longer, last) for last in (last_x, last_y))
    corners = [
        (right, 0, last_x, end_y),
        (0, bottom, end_x, last_y),
        (right, bottom, last_x, last_y),
    ]
    xs = np.arange(0, max(width - chip_px, 0), stride)
    ys = np.arange(0, max(height - chip_px, 0), stride)
    grid_x, grid_y = (axis.ravel() for axis in np.meshgrid(xs, ys, indexing='ij'))
    border_x, border_y = max(right - longer, 0), max(bottom - longer, 0)
    return np.concatenate(
        [
            np.array(corners, dtype=np.int64),
            _windows(grid_x, grid_y, grid_x + chip_px - 1, grid_y + chip_px - 1),
            _windows(border_x, ys, last_x, ys + chip_px - 1),
            _windows(xs, border_y, xs + chip_px - 1, last_y),
        ]
    )


def _windows(*coordinates: np.ndarray | int) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*coordinates), axis=-1).astype(np.int64)


def cover(candidates: np.ndarray, boxes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Choose candidates until every box that one of them contains is covered.

    Each choice is the candidate with the most boxes that are not covered yet. Boxes
    that no candidate contains stay uncovered.

    Args:
        candidates: (N, 4) windows.
        boxes: (M, 4) boxes, clipped to the scaled image.
        order: Permutation of the N candidates; of equals the first in it is chosen.

    Returns:
        Indices into ``candidates``, in the order of choice.
    """
    if len(np.unique(order)) != len(candidates):
        raise ValueError(
            f'order: expected a permutation of {len(candidates)} candidates, got '
            f'{len(order)} entries, {len(np.unique(order))} different ones'
        )
    holds = contains(candidates, boxes)[order]
    chosen: list[int] = []
    while holds.any():
        best = int(holds.sum(1).argmax())
        chosen.append(int(order[best]))
        holds = holds & ~holds[best]
    return np.array(chosen, dtype=np.int64)
