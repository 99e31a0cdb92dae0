"""The colours of the two domains, and pairs of them for the tones of a texture.

The source's colours are those of earth and plants, the target's those of water and
paint. Neither is tied to a category: an object draws its two colours from the whole
palette of its domain, so that its mean colour says next to nothing.
"""

from __future__ import annotations

from .categories import Domain

Colour = tuple[int, int, int]

PALETTES: dict[Domain, tuple[Colour, ...]] = dict(
    source=(
        (240, 226, 196),
        (226, 206, 120),
        (220, 140, 104),
        (214, 180, 126),
        (196, 142, 52),
        (176, 146, 112),
        (168, 84, 40),
        (140, 52, 40),
        (118, 118, 48),
        (96, 64, 40),
        (70, 88, 40),
        (56, 38, 28),
        (48, 46, 44),
        (36, 56, 32),
    ),
    target=(
        (226, 240, 246),
        (230, 170, 200),
        (190, 168, 220),
        (150, 214, 190),
        (150, 196, 226),
        (116, 80, 168),
        (92, 108, 128),
        (90, 168, 150),
        (72, 36, 92),
        (70, 140, 200),
        (56, 66, 82),
        (36, 84, 160),
        (24, 112, 116),
        (24, 36, 84),
    ),
)
_OBJECT_CONTRAST = (72, 150)
_CLUTTER_CONTRAST = (36, 80)


def luma(colour: Colour) -> int:
    """Return the brightness of an RGB colour, 0 to 255."""
    return (77 * colour[0] + 150 * colour[1] + 29 * colour[2]) >> 8


def _pairs(domain: Domain, contrast: tuple[int, int]) -> tuple[tuple[Colour, Colour]]:
    colours = PALETTES[domain]
    low, high = contrast
    return tuple(
        (first, second)
        for first in colours
        for second in colours
        if low <= abs(luma(first) - luma(second)) <= high
    )


OBJECT_PAIRS = {domain: _pairs(domain, _OBJECT_CONTRAST) for domain in PALETTES}
CLUTTER_PAIRS = {domain: _pairs(domain, _CLUTTER_CONTRAST) for domain in PALETTES}


def shifted(colour: Colour, by: int) -> Colour:
    """Return the colour made brighter (or darker, if negative) by a fixed amount."""
    return tuple(max(0, min(255, channel + by)) for channel in colour)
