"""Features of a labelled set of images, and what they are of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FeatureSet:
    """N images with D features, K classes.

    Args:
        features: (N, D), may lie in a memory map.
        labels: (N,) classes from 0.
        image_ids: N names.
        classes: K names.
    """

    features: np.ndarray
    labels: np.ndarray
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse parts that do not agree."""
        count = len(self.labels)
        if self.features.ndim != 2 or len(self.features) != count:
            raise ValueError(
                f'features: expected a row for each of {count} labels, got '
                f'{self.features.shape}'
            )
        if len(self.image_ids) != count or len(set(self.image_ids)) != count:
            raise ValueError(
                f'image_ids: expected {count} that differ, got {len(self.image_ids)}, '
                f'of which {len(set(self.image_ids))} differ'
            )
        is_unknown = (self.labels < 0) | (self.labels >= len(self.classes))
        if is_unknown.any():
            row = int(is_unknown.argmax())
            raise ValueError(
                f'labels: expected 0 to {len(self.classes) - 1}, image '
                f'{self.image_ids[row]!r} has {self.labels[row]}'
            )

    def missing_classes(self) -> list[str]:
        """Return the classes without an image: gaps of the labels."""
        present = set(np.unique(self.labels).tolist())
        return [one for k, one in enumerate(self.classes) if k not in present]

    def rows(self, rows: Sequence[int]) -> 'FeatureSet':
        """Return some of the images."""
        rows = np.asarray(rows)
        ids = tuple(self.image_ids[row] for row in rows)
        return FeatureSet(self.features[rows], self.labels[rows], ids, self.classes)
