"""Groups of images by how many objects they show, and how much of the image these are.

Each image has one class. What objects cover is the union of their boxes, as a share of
the image.
"""

from collections.abc import Sequence

import numpy as np

# Instances that are groups of their own; more are one group.
MOST_COUNTED = 3
# Of the image: groups end there.
SHARE_EDGES = (0.05, 0.1, 0.2, 0.4)


def covered_share(boxes: np.ndarray, size: Sequence[float]) -> float:
    """Return which share of an image its boxes cover together.

    Args:
        boxes: (M, 4) corners in pixels; what lies outside does not count.
        size: Width and height.
    """
    width, height = size
    limits = np.array([width, height, width, height], dtype=np.float64)
    corners = np.clip(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), 0, limits)
    x, y = (np.unique(corners[:, side::2]) for side in (0, 1))
    covered = np.zeros((max(len(y) - 1, 0), max(len(x) - 1, 0)), dtype=bool)
    for x1, y1, x2, y2 in corners:
        rows = slice(*np.searchsorted(y, (y1, y2)))
        covered[rows, slice(*np.searchsorted(x, (x1, x2)))] = True
    areas = np.diff(y)[:, None] * np.diff(x)
    return float(areas[covered].sum() / (width * height))


def object_groups(
    counts: np.ndarray, shares: np.ndarray, edges: Sequence[float] = SHARE_EDGES
) -> dict[str, np.ndarray]:
    """Return (N,) which images are in a group, by the group's name.

    Args:
        counts: (N,) instances of each image.
        shares: (N,) of the image that they cover.
        edges: Shares at which a group ends, rising.
    """
    if list(edges) != sorted(set(edges)) or not edges or not 0 < min(edges) < 1:
        raise ValueError(f'edges: expected rising shares from above 0, got {edges}')
    if (counts < 1).any():
        raise ValueError(
            f'counts: expected an instance or more in each image, row '
            f'{int((counts < 1).argmax())} has none'
        )
    groups = {f'instances {k}': counts == k for k in range(1, MOST_COUNTED)}
    groups[f'instances {MOST_COUNTED}+'] = counts >= MOST_COUNTED
    groups['instances 2+'] = counts >= 2
    ends = (0, *edges, np.inf)
    for low, high in zip(ends, ends[1:], strict=False):
        name = f'share {low:g} to {high:g}' if high < np.inf else f'share {low:g}+'
        groups[name] = (shares > low) & (shares <= high)
    middle = edges[len(edges) // 2]
    groups[f'share to {middle:g}'] = shares <= middle
    groups[f'share over {middle:g}'] = shares > middle
    return groups


def group_contrasts(groups: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """Return which groups are set against which: several instances, small objects."""
    small, large = (
        next(name for name in groups if name.startswith(start))
        for start in ('share to ', 'share over ')
    )
    return [('instances 2+', 'instances 1'), (small, large)]
