"""The categories of the embedded world: outline, surface texture and real names.

Every category has a surface texture of its own, one of a few texture families with its
own parameters, so that a small patch of an object suffices to name it. Within a domain
family and direction suffice, so that it stays so in an image of another scale; across
domains some categories differ in the period alone. Outlines are
shared by several categories, also across super-categories, so that the outline alone
does not name an object but is needed to find where it ends.

The domains share ``SHARED_KEYS`` and nothing else. The source domain has the names of
COCO, of OpenImages (boxable in V4 and in the 500 classes of the challenge) and of the
ILSVRC synsets; the target domain those of VOC, Caltech-256 and, for the flowers, the
ids 1 to 102 of Oxford-102. Flowers are drawn for classification only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Domain = Literal['source', 'target']
DOMAINS: tuple[Domain, ...] = ('source', 'target')
SUPER_CATEGORIES = ('vehicle', 'animal', 'thing')


@dataclass(frozen=True)
class Category:
    """One category and what the real data sets call it.

    Args:
        key: The world's own name, snake case.
        super_category: 'vehicle', 'animal' or 'thing'.
        outline: Name of the outline; several categories share one.
        texture_family: Name of the texture family.
        texture: Angle in degrees (its sign is drawn anew for each object) and period
            in pixels; no two categories have the same family and texture.
        domains: The domains that contain the category.
        voc: Name among VOC's 20 classes.
        coco: Name among COCO's 80 classes.
        openimages_mid: MID of the OpenImages class.
        openimages_name: Display name of the OpenImages class.
        synset: WordNet id as ImageNet writes it.
        caltech256: Folder of the Caltech-256 class.
        flower_id: Class of Oxford-102 Flowers, 1 to 102.
    """

    key: str
    super_category: str
    outline: str
    texture_family: str
    texture: tuple[int, int]
    domains: tuple[Domain, ...]
    voc: str | None = None
    coco: str | None = None
    openimages_mid: str | None = None
    openimages_name: str | None = None
    synset: str | None = None
    caltech256: str | None = None
    flower_id: int | None = None


_BOTH: tuple[Domain, ...] = ('source', 'target')
_SOURCE: tuple[Domain, ...] = ('source',)
_TARGET: tuple[Domain, ...] = ('target',)


def _real(voc, coco, mid, openimages, synset, caltech256=None) -> dict:
    return dict(
        voc=voc,
        coco=coco,
        openimages_mid=mid,
        openimages_name=openimages,
        synset=synset,
        caltech256=caltech256,
    )


# fmt: off
_SHARED = (
    Category('aeroplane', 'vehicle', 'winged', 'stripes', (0, 6), _BOTH, **_real(
        'aeroplane', 'airplane', '/m/0cmf2', 'Airplane', 'n02691156',
        '251.airplanes-101')),
    Category('car', 'vehicle', 'cabin', 'checks', (0, 7), _BOTH, **_real(
        'car', 'car', '/m/0k4j', 'Car', 'n02958343', '252.car-side-101')),
    Category('bird', 'animal', 'winged', 'dots', (0, 7), _BOTH, **_real(
        'bird', 'bird', '/m/015p6', 'Bird', 'n01503061', '113.hummingbird')),
    Category('cat', 'animal', 'upright', 'waves', (90, 7), _BOTH, **_real(
        'cat', 'cat', '/m/01yrx', 'Cat', 'n02121808')),
)
_SOURCE_ONLY = (
    Category('bus', 'vehicle', 'cabin', 'stripes', (90, 6), _SOURCE, **_real(
        'bus', 'bus', '/m/01bjv', 'Bus', 'n02924116', '178.school-bus')),
    Category('train', 'vehicle', 'wagon', 'bricks', (0, 8), _SOURCE, **_real(
        'train', 'train', '/m/07jdr', 'Train', 'n04468005')),
    Category('truck', 'vehicle', 'wagon', 'waves', (0, 7), _SOURCE, **_real(
        None, 'truck', '/m/07r04', 'Truck', 'n04490091')),
    Category('elephant', 'animal', 'quadruped', 'bricks', (90, 9), _SOURCE, **_real(
        None, 'elephant', '/m/0bwd_0j', 'Elephant', 'n02503517')),
    Category('zebra', 'animal', 'quadruped', 'stripes', (45, 6), _SOURCE, **_real(
        None, 'zebra', '/m/0898b', 'Zebra', 'n02391049', '250.zebra')),
    Category('bear', 'animal', 'upright', 'checks', (45, 9), _SOURCE, **_real(
        None, 'bear', '/m/01dws', 'Bear', 'n02131653', '009.bear')),
    Category('bench', 'thing', 'quadruped', 'triangles', (0, 8), _SOURCE, **_real(
        None, 'bench', '/m/0cvnqh', 'Bench', 'n02828884')),
    Category('laptop', 'thing', 'pedestal', 'dots', (45, 9), _SOURCE, **_real(
        None, 'laptop', '/m/01c648', 'Laptop', 'n03642806', '127.laptop-101')),
    Category('backpack', 'thing', 'upright', 'waves', (45, 9), _SOURCE, **_real(
        None, 'backpack', '/m/01940j', 'Backpack', 'n02769748', '003.backpack')),
    Category('bowl', 'thing', 'pedestal', 'triangles', (45, 9), _SOURCE, **_real(
        None, 'bowl', '/m/04kkgm', 'Bowl', 'n02880940')),
)
_TARGET_ONLY = (
    Category('bicycle', 'vehicle', 'cycle', 'checks', (45, 6), _TARGET, **_real(
        'bicycle', 'bicycle', '/m/0199g', 'Bicycle', 'n02834778',
        '224.touring-bike')),
    Category('boat', 'vehicle', 'cabin', 'stripes', (90, 9), _TARGET, **_real(
        'boat', 'boat', '/m/019jd', 'Boat', 'n04530566', '123.ketch-101')),
    Category('motorbike', 'vehicle', 'cycle', 'bricks', (90, 7), _TARGET, **_real(
        'motorbike', 'motorcycle', '/m/04_sv', 'Motorcycle', 'n03790512',
        '145.motorbikes-101')),
    Category('cow', 'animal', 'quadruped', 'triangles', (45, 8), _TARGET, **_real(
        'cow', 'cow', '/m/01xq0k1', 'Cattle', 'n02402425')),
    Category('dog', 'animal', 'quadruped', 'stripes', (45, 9), _TARGET, **_real(
        'dog', 'dog', '/m/0bt9lr', 'Dog', 'n02084071', '056.dog')),
    Category('horse', 'animal', 'steed', 'bricks', (0, 10), _TARGET, **_real(
        'horse', 'horse', '/m/03k3r', 'Horse', 'n02374451', '105.horse')),
    Category('chair', 'thing', 'steed', 'waves', (0, 9), _TARGET, **_real(
        'chair', 'chair', '/m/01mzpv', 'Chair', 'n03001627')),
    Category('diningtable', 'thing', 'pedestal', 'triangles', (0, 9), _TARGET, **_real(
        'diningtable', 'dining table', '/m/0h8n5zk', 'Kitchen & dining room table',
        'n04379243')),
    Category('bottle', 'thing', 'upright', 'waves', (45, 7), _TARGET, **_real(
        'bottle', 'bottle', '/m/04dr76w', 'Bottle', 'n04591713', '246.wine-bottle')),
    Category('tvmonitor', 'thing', 'pedestal', 'dots', (45, 7), _TARGET, **_real(
        'tvmonitor', 'tv', '/m/07c52', 'Television', 'n03211117',
        '046.computer-monitor')),
)


def _flower(flower_id: int, key: str, outline: str, family: str, angle: int,
            period: int) -> Category:
    return Category(key, 'thing', outline, family, (angle, period), _TARGET,
                    flower_id=flower_id)


_FLOWERS = (
    _flower(1, 'pink_primrose', 'blossom', 'stripes', 0, 8),
    _flower(5, 'english_marigold', 'blossom', 'checks', 0, 8),
    _flower(8, 'bird_of_paradise', 'stalk', 'stripes', 45, 8),
    _flower(18, 'peruvian_lily', 'stalk', 'waves', 0, 8),
    _flower(46, 'wallflower', 'stalk', 'bricks', 0, 7),
    _flower(51, 'petunia', 'blossom', 'waves', 45, 8),
    _flower(54, 'sunflower', 'stalk', 'dots', 0, 9),
    _flower(73, 'water_lily', 'blossom', 'bricks', 90, 12),
    _flower(77, 'passion_flower', 'blossom', 'dots', 45, 8),
    _flower(102, 'blackberry_lily', 'stalk', 'checks', 45, 8),
)
# fmt: on
CATEGORIES: tuple[Category, ...] = _SHARED + _SOURCE_ONLY + _TARGET_ONLY + _FLOWERS
SHARED_KEYS = tuple(category.key for category in _SHARED)
_BY_KEY = {category.key: category for category in CATEGORIES}


def category_of(key: str) -> Category:
    """Return the category with the given key."""
    if key not in _BY_KEY:
        known = ', '.join(sorted(_BY_KEY))
        raise ValueError(f'unknown category {key!r}; known: {known}')
    return _BY_KEY[key]


def categories_of(domain: Domain) -> tuple[Category, ...]:
    """Return the categories that the scenes of a domain contain, without flowers."""
    if domain not in DOMAINS:
        raise ValueError(f'domain must be one of {DOMAINS}, got {domain!r}')
    return tuple(
        category
        for category in CATEGORIES
        if domain in category.domains and category.flower_id is None
    )


def caltech256_categories() -> tuple[Category, ...]:
    """Return the target domain's categories that have a Caltech-256 folder."""
    return tuple(c for c in categories_of('target') if c.caltech256)


def flower_categories() -> tuple[Category, ...]:
    """Return the categories of Oxford-102 Flowers, ordered by flower id."""
    flowers = [c for c in CATEGORIES if c.flower_id is not None]
    return tuple(sorted(flowers, key=lambda c: c.flower_id))
