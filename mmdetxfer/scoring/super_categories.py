"""Which classes are vehicles and which are animals: VOC's, COCO's and ImageNet's.

VOC's seven vehicles and six animals are those that Li et al. 2019 average in Table 2.
ImageNet's are found from the synset of the super-category downwards, in its is-a file.
"""

from collections.abc import Iterable, Sequence

import numpy as np

MEMBERS = {
    'vehicle': (
        # VOC
        'aeroplane',
        'bicycle',
        'boat',
        'bus',
        'car',
        'motorbike',
        'train',
        # COCO, where it has another name or more
        'airplane',
        'motorcycle',
        'truck',
    ),
    'animal': (
        'bird',
        'cat',
        'cow',
        'dog',
        'horse',
        'sheep',
        'elephant',
        'bear',
        'zebra',
        'giraffe',
    ),
}
# The data sets that the lists above are of.
LISTED_CLASSES = frozenset(
    (
        'aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog '
        'horse motorbike person pottedplant sheep sofa train tvmonitor'
    ).split()
) | frozenset(
    (
        'person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,'
        'fire hydrant,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,'
        'elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,'
        'skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,'
        'surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,'
        'apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,'
        'potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,'
        'cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,'
        'teddy bear,hair drier,toothbrush'
    ).split(',')
)
SYNSETS = {'vehicle': 'n04524313', 'animal': 'n00015388'}


def descendants(root: str, is_a: Iterable[tuple[str, str]]) -> set[str]:
    """Return a synset and all below it.

    Args:
        root: The synset.
        is_a: Pairs of parent and child.
    """
    children: dict[str, list[str]] = {}
    for parent, child in is_a:
        children.setdefault(parent, []).append(child)
    found, left = {root}, [root]
    while left:
        for child in children.get(left.pop(), ()):
            if child not in found:
                found.add(child)
                left.append(child)
    return found


def members_by_matrix(
    classes: Sequence[str], matrix: np.ndarray, super_category: str
) -> list[str]:
    """Return the class of a name, in any case, and all below it.

    Args:
        classes: K names.
        matrix: (K, K): 1 where the column's class is the row's or above it.
        super_category: The name.
    """
    names = [name.lower() for name in classes]
    if super_category.lower() not in names:
        return []
    column = matrix[:, names.index(super_category.lower())]
    return [name for name, is_member in zip(classes, column, strict=True) if is_member]


def nearest_ancestors(
    synsets: Sequence[str], targets: Sequence[str], is_a: Iterable[tuple[str, str]]
) -> list[int]:
    """Return for each synset the number of the target that it is, or is below.

    Of several ancestors it is the one in the fewest steps, of equally near ones the
    first in ``targets``; -1 for none.

    Args:
        synsets: The synsets.
        targets: The possible ancestors.
        is_a: Pairs of parent and child.
    """
    parents: dict[str, list[str]] = {}
    for parent, child in is_a:
        parents.setdefault(child, []).append(parent)
    place_of = {target: place for place, target in enumerate(targets)}
    found = []
    for synset in synsets:
        level, seen = {synset}, set()
        while level and not level & place_of.keys():
            seen |= level
            level = {p for one in level for p in parents.get(one, ())} - seen
        places = [place_of[one] for one in level & place_of.keys()]
        found.append(min(places, default=-1))
    return found
