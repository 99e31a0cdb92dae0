"""Pictures painted with two-coloured patterns, then aged by uneven light and grain."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import visible_part
from .draws import Draws, blotch_tile, cut, grain_tile
from .palettes import Colour
from .textures import Pattern, draw_pattern

_BLOTCH_PX = 7
_BLOTCH_STRENGTH = 26
_GRAIN_STRENGTH = 10


class Picture:
    """An image of H x W pixels that keeps a colour number for each pixel.

    Numbers and a table of up to 256 colours, rather than colours, because painting one
    plane instead of three saves half of the time that a scene takes.
    """

    def __init__(self, height: int, width: int) -> None:
        self._numbers = np.zeros((height, width), np.uint8)
        self._colours: list[Colour] = []

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self._numbers.shape

    def paint(
        self,
        mask: np.ndarray,
        x: int,
        y: int,
        pattern: Pattern,
        colours: tuple[Colour, Colour],
    ) -> None:
        """Paint a pattern of two colours through a mask.

        Args:
            mask: (h, w), painted where it is not 0; may reach over the borders.
            x: Left side of the mask.
            y: Top side of the mask.
            pattern: The pattern; starts at the mask's corner or the image's border.
            colours: Its two tones.
        """
        where, part = visible_part(mask, x, y, *self.size)
        if not part.size:
            return
        assert len(self._colours) < 255, 'a picture has room for 256 colours'
        values = draw_pattern(pattern, *part.shape)
        values += np.uint8(len(self._colours))
        self._colours += colours
        np.copyto(self._numbers[where], values, where=part > 0)

    def render(self, draws: Draws) -> np.ndarray:
        """Return (H, W, 3) uint8, RGB, under uneven light (blotches) and with grain.

        Without these an area of one tone would be one connected component of one
        colour, whose box is the object's.
        """
        colours = np.take(np.array(self._colours, np.uint8), self._numbers, axis=0)
        light = cut(blotch_tile(_BLOTCH_PX, _BLOTCH_STRENGTH), *self.size, draws)
        grain = cut(grain_tile(_GRAIN_STRENGTH), *self.size, draws)
        return cv2.add(colours, light + grain, dtype=cv2.CV_8U)
