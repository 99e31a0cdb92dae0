"""Scenes for SUN-397: places defined by what stands there, the ground and the order.

Each cue is shared with another place, so that no single object, ground or order names
the place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

from .categories import categories_of, category_of
from .draws import Draws
from .layout import Request

_STRAY_PERCENT = 25


@dataclass(frozen=True)
class Place:
    """One class of scenes.

    Args:
        name: Class name of SUN-397.
        categories: Keys of what stands there, each at least once.
        ground: Kind of the ground.
        order: Name of the order in ``ORDERS``.
    """

    name: str
    categories: tuple[str, ...]
    ground: str
    order: str


PLACES = {
    place.name: place
    for place in (
        Place('dining_room', ('diningtable', 'chair'), 'floor', 'centre'),
        Place('field_cultivated', ('cow', 'dog'), 'bands', 'row'),
        Place('harbor', ('boat', 'bird'), 'horizon', 'row'),
        Place('kennel_outdoor', ('dog', 'cat'), 'panels', 'grid'),
        Place('lake_natural', ('boat', 'bird'), 'horizon', 'scattered'),
        Place('living_room', ('tvmonitor', 'chair', 'cat'), 'panels', 'centre'),
        Place('office', ('tvmonitor', 'chair'), 'panels', 'grid'),
        Place('park', ('bicycle', 'dog', 'bird'), 'horizon', 'scattered'),
        Place('parking_lot', ('car', 'motorbike'), 'bands', 'grid'),
        Place('pasture', ('cow', 'horse'), 'horizon', 'scattered'),
        Place('pub_indoor', ('bottle', 'tvmonitor'), 'floor', 'row'),
        Place('restaurant', ('diningtable', 'chair', 'bottle'), 'floor', 'grid'),
        Place('runway', ('aeroplane', 'car'), 'horizon', 'row'),
        Place('sky', ('aeroplane', 'bird'), 'bands', 'scattered'),
        Place('stable', ('horse', 'dog'), 'floor', 'row'),
        Place('street', ('car', 'bicycle', 'motorbike'), 'bands', 'row'),
    )
}
Spot = tuple[int, tuple[int, int] | None]


def place_of(name: str) -> Place:
    """Return the place of a SUN-397 class name."""
    if name not in PLACES:
        raise ValueError(
            f'unknown scene class {name!r}; known: {", ".join(sorted(PLACES))}'
        )
    return PLACES[name]


def draw_requests(place: Place, height: int, width: int, draws: Draws) -> list[Request]:
    """Draw what is to be placed in a scene of a place, now and then with a stray."""
    spots = ORDERS[place.order](isqrt(height * width), draws)
    keys = list(place.categories)
    keys += [draws.choose(place.categories) for _ in range(len(spots) - len(keys))]
    if draws.percent(_STRAY_PERCENT):
        keys[-1] = draws.choose(categories_of('target')).key
    if place.order != 'centre':
        keys = draws.shuffled(keys)
    return [
        Request(category_of(key), scale, spot)
        for key, (scale, spot) in zip(keys, spots, strict=True)
    ]


def _row(side: int, draws: Draws) -> list[Spot]:
    """Objects of about one size side by side."""
    number = draws.between(3, 5)
    level = draws.between(450, 750)
    scale = side * draws.between(70, 95) // (100 * number)
    return [(scale, (1000 * (2 * i + 1) // (2 * number), level)) for i in range(number)]


def _grid(side: int, draws: Draws) -> list[Spot]:
    """Objects of about one size in rows and columns."""
    columns, rows = draws.between(2, 4), draws.between(2, 3)
    scale = side * draws.between(60, 85) // (100 * max(columns, rows))
    return [
        (scale, (1000 * (2 * i + 1) // (2 * columns), 1000 * (2 * j + 1) // (2 * rows)))
        for j in range(rows)
        for i in range(columns)
    ]


def _centre(side: int, draws: Draws) -> list[Spot]:
    """A large object in the middle, smaller ones anywhere."""
    spots: list[Spot] = [(side * draws.between(38, 55) // 100, (500, 550))]
    for _ in range(draws.between(2, 5)):
        spots.append((side * draws.between(12, 26) // 100, None))
    return spots


def _scattered(side: int, draws: Draws) -> list[Spot]:
    """Objects of all sizes anywhere."""
    number = draws.between(4, 9)
    return [(side * draws.between(8, 30) // 100, None) for _ in range(number)]


ORDERS: dict[str, Callable[[int, Draws], list[Spot]]] = dict(
    row=_row, grid=_grid, centre=_centre, scattered=_scattered
)
