"""Everything that is counted of one image and its segmentation, in about 10 kB.

All scores of segmentation, of any set of images, are made of sums of such counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .boundary_iou import rim_counts
from .confusion import class_counts
from .trimap import KINDS, METRICS, band_confusion, boundary_distances, widths_in_pixels

WIDTHS = tuple(range(1, 41))


@dataclass(frozen=True)
class BandSettings:
    """What is counted.

    Args:
        num_classes: K.
        widths: J rising widths of bands.
        of_diagonal: Whether widths are shares of the diagonal, and not pixels.
        kind: Around 'void' pixels or changes of 'labels'.
        metric: 'square' or 'euclidean' distances.
        ignore_index: The label of void pixels.
        size_ranges_px: Name and (lowest, highest) root of the area of objects, the
            highest not in it, where a map of objects is there.
    """

    num_classes: int
    widths: Sequence[float] = WIDTHS
    of_diagonal: bool = False
    kind: str = 'void'
    metric: str = 'square'
    ignore_index: int = 255
    size_ranges_px: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what no image is needed for."""
        if self.kind not in KINDS or self.metric not in METRICS:
            raise ValueError(
                f'expected a kind of {KINDS} and a metric of {tuple(METRICS)}, got '
                f'{self.kind!r} and {self.metric!r}'
            )
        widths_in_pixels(self.widths, (1, 1), self.of_diagonal)
        if not 0 <= self.ignore_index <= 255:
            raise ValueError(
                f'ignore index: expected a label of 8 bits, got {self.ignore_index}'
            )
        before = 0.0
        for name, limits in self.size_ranges_px.items():
            pair = np.asarray(limits, dtype=np.float64)
            if not name or pair.shape != (2,) or not before <= pair[0] < pair[1]:
                raise ValueError(
                    'sizes: expected names with rising ranges (lowest, highest) that '
                    f'do not overlap, got {name!r}: {limits}'
                )
            before = float(pair[1])


@dataclass(frozen=True)
class ImageCounts:
    """Pixels of an image by class: true, predicted, both.

    Args:
        bands: (J + 1, 3, K) in each band, the last outside of all.
        rims: (3, K) of the rims of classes, for Boundary IoU.
        sizes: (S, 3, K) on objects of each size; (0, 3, K) without a map of objects.
    """

    bands: np.ndarray
    rims: np.ndarray
    sizes: np.ndarray


def image_counts(
    truth: np.ndarray,
    predicted: np.ndarray,
    settings: BandSettings,
    objects: np.ndarray | None = None,
) -> ImageCounts:
    """Count one image.

    Args:
        truth: (H, W) labels.
        predicted: (H, W) labels.
        settings: What is counted.
        objects: (H, W) numbers of objects, 0 and the void label for none.
    """
    num_classes, void = settings.num_classes, settings.ignore_index
    distances = boundary_distances(truth, void, settings.kind, settings.metric)
    widths = widths_in_pixels(settings.widths, truth.shape, settings.of_diagonal)
    tables = (truth, predicted, distances, widths, num_classes, void)
    bands = class_counts(band_confusion(*tables))
    sizes = np.zeros((0, 3, num_classes), dtype=np.uint32)
    if objects is not None and settings.size_ranges_px:
        own = object_sizes(objects, truth.shape, settings)
        nowhere = np.zeros(truth.shape, dtype=np.float32)
        parts = [
            band_confusion(
                np.where(own == place, truth, void),
                predicted,
                nowhere,
                [1.0],
                *tables[4:],
            )[0]
            for place in range(len(settings.size_ranges_px))
        ]
        sizes = class_counts(np.array(parts)).astype(np.uint32)
    rims = rim_counts(truth, predicted, num_classes, void)
    return ImageCounts(bands.astype(np.uint32), rims.astype(np.uint32), sizes)


def object_sizes(
    objects: np.ndarray, shape: tuple[int, int], settings: BandSettings
) -> np.ndarray:
    """Return (H, W) places of sizes, -1 where there is no object.

    Args:
        objects: (H, W) numbers of objects, 0 and the void label for none.
        shape: Of the truth.
        settings: The sizes.
    """
    if objects.shape != shape:
        raise ValueError(
            f'expected a map of objects of the size of the truth, {shape}, got '
            f'{objects.shape}'
        )
    numbers, own = np.unique(objects, return_inverse=True)
    sides = np.sqrt(np.bincount(own.ravel()))
    found = np.full(len(numbers), -1)
    for place, (low, high) in enumerate(settings.size_ranges_px.values()):
        found[(sides >= low) & (sides < high)] = place
    found[(numbers == 0) | (numbers == settings.ignore_index)] = -1
    return found[own].reshape(shape)
