"""The annotation of a data set as columns, whatever the files that it came from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np


@dataclass(frozen=True)
class Annotations:
    """What the annotation of N images with M objects says, column by column.

    Args:
        image_paths: The N image files.
        image_sizes: (N, 2) float width and height in pixels, nan where not stated.
        object_images: (M,) index of each object's image.
        object_classes: (M,) index of each object's class in ``class_names``.
        class_names: Names that the annotation uses, in any order.
        boxes: (M, 4) corners; None where objects have no boxes.
        are_relative: Whether corners are shares of the image's width and height.
        listed_classes: The annotation's own classes in the order that the labels
            follow; None if it has no list.
        label_map_paths: Files of N label maps, for segmentation.
    """

    image_paths: Sequence[str]
    image_sizes: np.ndarray
    object_images: np.ndarray
    object_classes: np.ndarray
    class_names: Sequence[str]
    boxes: np.ndarray | None = None
    are_relative: bool = False
    listed_classes: Sequence[str] | None = None
    label_map_paths: Sequence[str] | None = None

    def class_counts(self) -> dict[str, int]:
        """Return the number of objects of each class that occurs."""
        counts = np.bincount(self.object_classes, minlength=len(self.class_names))
        named = zip(self.class_names, counts, strict=True)
        return {name: int(count) for name, count in named if count}

    def only(self, paths: Collection[str]) -> 'Annotations':
        """Return the part of these columns that belongs to some of the images."""
        is_kept = np.array([path in paths for path in self.image_paths], dtype=bool)
        is_object_kept = is_kept[self.object_images]
        new_index = np.cumsum(is_kept) - 1
        label_maps = self.label_map_paths
        return replace(
            self,
            image_paths=list(compress(self.image_paths, is_kept)),
            image_sizes=self.image_sizes[is_kept],
            object_images=new_index[self.object_images[is_object_kept]],
            object_classes=self.object_classes[is_object_kept],
            boxes=None if self.boxes is None else self.boxes[is_object_kept],
            label_map_paths=label_maps and list(compress(label_maps, is_kept)),
        )
