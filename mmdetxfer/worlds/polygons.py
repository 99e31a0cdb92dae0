"""Exact outlines of masks: COCO's polygons and run lengths.

Polygons run along the edges between pixels, so that filling them gives the mask back to
the pixel. COCO's polygons have no holes: a mask with holes is cut along rows into parts
without. Run lengths go down the columns and begin with the number of zeros.
"""

from __future__ import annotations

import numpy as np

Vertex = tuple[int, int]


def mask_polygons(mask: np.ndarray) -> list[list[int]]:
    """Return polygons [x1, y1, x2, y2, ...] whose fill is the mask.

    Args:
        mask: (H, W) bool.
    """
    loops = _loops(mask)
    holes = [loop for loop in loops if _doubled_area(loop) < 0]
    if not holes:
        return [[value for vertex in loop for value in vertex] for loop in loops]
    rows = [y for _, y in holes[0]]
    cut = (min(rows) + max(rows) + 1) // 2
    upper, lower = mask.copy(), mask.copy()
    upper[cut:], lower[:cut] = False, False
    return mask_polygons(upper) + mask_polygons(lower)


def run_lengths(mask: np.ndarray) -> list[int]:
    """Return COCO's uncompressed run lengths of an (H, W) bool mask."""
    flat = mask.ravel(order='F')
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs


def _loops(mask: np.ndarray) -> list[list[Vertex]]:
    """Return closed paths along the mask's edge, the mask on the right-hand side."""
    exits = _edges(mask)
    loops = []
    while exits:
        start = next(iter(exits))
        loops.append(_follow(exits, start))
    return loops


def _follow(exits: dict[Vertex, list[Vertex]], start: Vertex) -> list[Vertex]:
    """Return the corners of the path through ``start``, which leaves ``exits``."""
    loop = [start]
    x, y = start
    step = exits[start][0]
    while True:
        exits[x, y].remove(step)
        if not exits[x, y]:
            del exits[x, y]
        x, y = x + step[0], y + step[1]
        steps = exits.get((x, y), ())
        # Where pixels touch by their corners only, two steps leave the vertex; the
        # right turn stays with the same pixel.
        right = (-step[1], step[0])
        if (x, y) == start and right not in steps:
            return loop
        following = right if right in steps else steps[0]
        if following != step:
            loop.append((x, y))
        step = following


def _edges(mask: np.ndarray) -> dict[Vertex, list[Vertex]]:
    """Return for each vertex the unit steps that leave it along the mask's edge."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    exits: dict[Vertex, list[Vertex]] = {}
    for neighbour, (shift_x, shift_y), step in sides:
        rows, columns = np.nonzero(inside & ~neighbour)
        for x, y in zip(
            (columns + shift_x).tolist(), (rows + shift_y).tolist(), strict=True
        ):
            exits.setdefault((x, y), []).append(step)
    return exits


def _doubled_area(loop: list[Vertex]) -> int:
    following = loop[1:] + loop[:1]
    return sum(
        x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(loop, following, strict=True)
    )
