"""Parts of a labelled set: what is held out to choose, and a few images of each class.

Both are stratified, and depend on labels and seed alone: all candidates and layers get
the same images.
"""

import numpy as np


def held_out_rows(
    labels: np.ndarray, share: float = 0.2, seed: int = 0, names: object = None
) -> np.ndarray:
    """Return the rows that are held out, rising: a share of each class, one at least.

    Args:
        labels: (N,) classes from 0.
        share: Of each class, rounded to the nearest number.
        seed: Of the draw.
        names: K names of the classes, for messages.
    """
    if not 0 < share < 1:
        raise ValueError(f'share: expected more than 0 and less than 1, got {share}')
    rng = np.random.default_rng(seed)
    parts = []
    for label, rows in _rows_by_class(labels):
        if len(rows) < 2:
            raise ValueError(
                f'class {_named(label, names)}: expected 2 images or more, one to '
                f'learn from and one held out, got {len(rows)}'
            )
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        parts.append(rng.permutation(rows)[:count])
    return np.sort(np.concatenate(parts))


def few_rows(
    labels: np.ndarray, shots: int, seed: int = 0, names: object = None
) -> np.ndarray:
    """Return as many rows of each class, rising.

    With one seed the images of fewer shots are among those of more.

    Args:
        labels: (N,) classes from 0.
        shots: Images a class.
        seed: Of the draw.
        names: K names of the classes, for messages.
    """
    if shots < 1:
        raise ValueError(f'shots: expected 1 or more, got {shots}')
    rng = np.random.default_rng(seed)
    parts = []
    for label, rows in _rows_by_class(labels):
        if len(rows) < shots:
            raise ValueError(
                f'class {_named(label, names)}: expected {shots} images or more, got '
                f'{len(rows)}'
            )
        parts.append(rng.permutation(rows)[:shots])
    return np.sort(np.concatenate(parts))


def share_of_rows(labels: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Return a share of the rows of each class, one at least, rising.

    With one seed the images of a smaller share are among those of a larger one.

    Args:
        labels: (N,) classes from 0.
        share: Of each class, rounded to the nearest number.
        seed: Of the draw.
    """
    if not 0 < share <= 1:
        raise ValueError(f'share: expected more than 0 and up to 1, got {share}')
    rng = np.random.default_rng(seed)
    parts = [
        rng.permutation(rows)[: max(1, round(share * len(rows)))]
        for _, rows in _rows_by_class(labels)
    ]
    return np.sort(np.concatenate(parts))


def _rows_by_class(labels: np.ndarray) -> list[tuple[int, np.ndarray]]:
    labels = np.asarray(labels)
    return [(int(one), np.flatnonzero(labels == one)) for one in np.unique(labels)]


def _named(label: int, names: object) -> str:
    return str(label) if names is None else repr(names[label])
