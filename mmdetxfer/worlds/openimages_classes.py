"""The 601 boxable classes of OpenImages V4, the challenge's 500 and their hierarchy.

``data/openimages_classes.csv`` holds one class a line in the order of the official
``class-descriptions-boxable.csv``, which is also the order of mmdet's class list:

- ``mid`` and ``name``: the official MID and display name of V4 (V6 renamed some);
- ``challenge_id``: its number in the challenge of 2019 in the order of mmdet's class
  list, counted from 1; empty for the 101 classes that the challenge leaves out;
- ``parents``: MIDs of its parents in the official hierarchy of 600 classes, by its
  ``Subcategory`` relation. Its ``Part`` relation (a wheel is a part of a car) means no
  inheritance, no reader uses it, and it is left out.

The class list and the hierarchy are part of Open Images by Google LLC, CC BY 4.0.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from .categories import Category

ROOT_MID = '/m/0bl9f'  # 'Entity', the hierarchy's root, not itself a boxable class


@dataclass(frozen=True)
class OpenImagesClass:
    """One boxable class.

    Args:
        mid: The official identifier, such as '/m/0k4j'.
        name: The display name of V4.
        challenge_id: Number in the challenge of 2019, 1 to 500, or None.
        parents: MIDs of its direct parents; none for a class at the top.
    """

    mid: str
    name: str
    challenge_id: int | None
    parents: tuple[str, ...]


@cache
def boxable_classes() -> tuple[OpenImagesClass, ...]:
    """Return the 601 boxable classes in their official order."""
    text = files(__package__).joinpath('data/openimages_classes.csv').read_text()
    return tuple(
        OpenImagesClass(
            row['mid'],
            row['name'],
            int(row['challenge_id']) if row['challenge_id'] else None,
            tuple(row['parents'].split()),
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def challenge_classes() -> tuple[OpenImagesClass, ...]:
    """Return the 500 classes of the challenge of 2019, ordered by their number."""
    chosen = [item for item in boxable_classes() if item.challenge_id]
    return tuple(sorted(chosen, key=lambda item: item.challenge_id))


@cache
def class_of(category: Category) -> OpenImagesClass:
    """Return the OpenImages class of a category; it is one of the challenge's too."""
    for item in challenge_classes():
        if item.mid == category.openimages_mid:
            return item
    raise ValueError(
        f'category {category.key!r} (MID {category.openimages_mid}) is none of the '
        '500 classes of the OpenImages challenge: draw categories of the source domain'
    )


@cache
def _direct_parents() -> dict[str, tuple[str, ...]]:
    return {item.mid: item.parents for item in boxable_classes()}


def nearest_parents(mid: str, kept: Collection[str]) -> set[str]:
    """Return the nearest ancestors of a class among ``kept``; empty at the top."""
    found: set[str] = set()
    for parent in _direct_parents()[mid]:
        found |= {parent} if parent in kept else nearest_parents(parent, kept)
    return found


def hierarchy(classes: Collection[OpenImagesClass]) -> dict[str, Any]:
    """Return the tree of the given classes as the official JSON nests it.

    A class with several parents stands under each of them; a class whose ancestors are
    not among the given ones stands at the top.
    """
    kept = {item.mid for item in classes}
    children: dict[str, list[str]] = {}
    for item in classes:
        for parent in nearest_parents(item.mid, kept) or {ROOT_MID}:
            children.setdefault(parent, []).append(item.mid)
    return _node(ROOT_MID, children)


def _node(mid: str, children: dict[str, list[str]]) -> dict[str, Any]:
    node: dict[str, Any] = {'LabelName': mid}
    if mid in children:
        node['Subcategory'] = [_node(child, children) for child in children[mid]]
    return node


def challenge_label_tree() -> np.ndarray:
    """Return the (501, 501) relation of the challenge's classes.

    Row c has a 1 at c and at every ancestor of c; row and column 0 stand for the
    background, so that a class is found at its number.
    """
    number = {item.mid: item.challenge_id for item in challenge_classes()}
    tree = np.eye(len(number) + 1, dtype=np.uint8)
    for mid, row in number.items():
        ancestors = nearest_parents(mid, number)
        while ancestors:
            tree[row, [number[parent] for parent in ancestors]] = 1
            ancestors = set().union(*(nearest_parents(a, number) for a in ancestors))
    return tree
