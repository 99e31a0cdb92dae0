"""ChipPlan: at which scales images are cut into chips, and which boxes count there.

SNIPER (Singh, Najibi and Davis 2018) as its authors' code runs it: scales go from the
finest to the coarsest; a box's size is the square root of its area in pixels of the
original image, from ``int(x2 - x1)`` and ``int(y2 - y1)`` without the + 1 that the code
uses everywhere else.

Where the paper's code is odd, the plan is too, unless ``as_original`` is False:

- chips in the corners and along the right and bottom borders are one pixel longer;
- boxes are clipped one pixel short of the image's last row and column;
- a middle scale has a lower bound for choosing chips, but none when boxes are assigned
  to them (nor has the finest).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Scale = float | tuple[int, int]
Range = tuple[float, float]

_ORIGINAL_CHIP_PX = 512
_ORIGINAL_STRIDES_PX = (56, 59)
_ORIGINAL_MIN_BOX_PX = 10
NO_BOUND = -1


@dataclass(frozen=True)
class ChipPlan:
    """How images are cut into chips. The defaults are SNIPER's, for chips of 512.

    Args:
        scales: From the finest to the coarsest. (a, b): the shorter side becomes a
            pixels, unless the longer one would exceed b, then that becomes b; a = -1:
            the longer side becomes b; b = -1: no limit. A float is a factor.
        valid_ranges: For each scale the (lowest, highest) size of a box that is trained
            there, in original pixels; -1 is no bound. The highest of the coarsest scale
            is not used: what is too large for others belongs there.
        test_ranges: The same for testing; None for those of training.
        proposal_ranges: Sizes of proposals that the second stage is trained on; None
            for ``valid_ranges``.
        chip_px: Side of a chip.
        stride_range_px: The (lowest, highest) stride of the grid of candidates; one is
            drawn an epoch. None: 56 to 59, in proportion to the chip.
        min_box_px: Boxes whose clipped side in a chip is shorter are left out there.
            None: 10, in proportion to the chip.
        side_limit_px: Boxes with a longer side, in original pixels, are left to the
            coarsest scale, whatever their area. None: SNIPER's limit, with which the
            grid holds every box; the coarsest scale does not ask for it.
        num_negatives: How many negative chips of an image (or its mirrored copy) are
            drawn an epoch, at most; they need proposals in the table. SNIPER's 2.
        has_mirrored_copies: Whether each image is planned a second time, mirrored.
        as_original: Whether the oddities of the original code stay (see above).
    """

    scales: tuple[Scale, ...]
    valid_ranges: tuple[Range, ...]
    test_ranges: tuple[Range, ...] | None = None
    proposal_ranges: tuple[Range, ...] | None = None
    chip_px: int = _ORIGINAL_CHIP_PX
    stride_range_px: tuple[int, int] | None = None
    min_box_px: float | None = None
    side_limit_px: float | None = None
    num_negatives: int = 0
    has_mirrored_copies: bool = True
    as_original: bool = True

    def __post_init__(self) -> None:
        """Fill in what is in proportion to the chip and refuse what is no plan."""
        if type(self.chip_px) is not int or self.chip_px < 8:
            raise ValueError(f'chip_px: expected pixels, 8 or more, got {self.chip_px}')
        share = self.chip_px / _ORIGINAL_CHIP_PX
        if self.stride_range_px is None:
            strides = tuple(max(round(s * share), 1) for s in _ORIGINAL_STRIDES_PX)
            self._set('stride_range_px', strides)
        if self.min_box_px is None:
            self._set('min_box_px', _ORIGINAL_MIN_BOX_PX * share)
        names = ('test_ranges', 'proposal_ranges')
        for name in names:
            if getattr(self, name) is None:
                self._set(name, self.valid_ranges)
        for name in ('valid_ranges', *names):
            pairs = tuple(_range(name, pair) for pair in getattr(self, name))
            self._set(name, pairs)
        self._set('scales', tuple(_scale(scale) for scale in self.scales))
        self._set('stride_range_px', tuple(self.stride_range_px))
        self._check()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check(self) -> None:
        low, high = self.stride_range_px
        if not 1 <= low <= high < self.chip_px:
            raise ValueError(
                'stride_range_px: expected (lowest, highest) from 1 to below the '
                f'chip of {self.chip_px} px, got {self.stride_range_px}'
            )
        if not self.scales:
            raise ValueError('scales: expected at least one, got none')
        ranges = (self.valid_ranges, self.test_ranges, self.proposal_ranges)
        if {len(self.scales)} != {len(one) for one in ranges}:
            raise ValueError(
                'expected one valid, test and proposal range a scale, got '
                f'{len(self.scales)} scales, {len(self.valid_ranges)} valid_ranges, '
                f'{len(self.test_ranges)} test_ranges and '
                f'{len(self.proposal_ranges)} proposal_ranges'
            )

    @property
    def num_scales(self) -> int:
        """How many scales there are."""
        return len(self.scales)

    def factors(self, widths: Sequence[int], heights: Sequence[int]) -> np.ndarray:
        """Return the factor of every scale for every image.

        Args:
            widths: N widths of images in pixels.
            heights: Their heights.

        Returns:
            (N, S) float64.
        """
        sides = np.stack([widths, heights]).astype(np.float64)
        shorter, longer = sides.min(0), sides.max(0)
        columns = []
        for scale in self.scales:
            if isinstance(scale, float):
                columns.append(np.full(len(shorter), scale))
                continue
            target, limit = scale
            factor = target / shorter if target > 0 else limit / longer
            if target > 0 and limit > 0:
                is_too_long = np.round(factor * longer) > limit
                factor = np.where(is_too_long, limit / longer, factor)
            columns.append(factor)
        return np.stack(columns, axis=1)

    def is_coarsest(self, scale_index: int) -> bool:
        """Whether a scale is the last one."""
        return scale_index == self.num_scales - 1


def _scale(scale: object) -> Scale:
    if isinstance(scale, float) and scale > 0:
        return scale
    if isinstance(scale, (list, tuple)) and len(scale) == 2:
        if all(type(v) is int for v in scale) and max(scale) > 0 and 0 not in scale:
            return (scale[0], scale[1])
    raise ValueError(
        'scales: expected a pair of whole pixels (shorter side, limit of the longer '
        f'one; -1 for none) or a factor such as 3.0, got {scale!r}'
    )


def _range(name: str, pair: object) -> Range:
    if isinstance(pair, (list, tuple)) and len(pair) == 2:
        low, high = (float(value) for value in pair)
        if high == NO_BOUND or low < high:
            return (low, high)
    raise ValueError(
        f'{name}: expected pairs (lowest, highest) in pixels, -1 for no bound, got '
        f'{pair!r}'
    )
