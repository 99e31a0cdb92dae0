"""The class list against mmdet's own lists and against relations known by hand."""

import json

import numpy as np
import pytest
from mmdet.evaluation.functional import get_classes

from mmdetxfer.worlds.categories import categories_of, category_of
from mmdetxfer.worlds.openimages_classes import (
    ROOT_MID,
    boxable_classes,
    challenge_classes,
    challenge_label_tree,
    class_of,
    hierarchy,
)

# V6 renamed 16 of V4's classes; mmdet's list is V6's.
RENAMED_IN_V6 = {
    'Organ': 'Organ (Musical Instrument)',
    'Drill': 'Drill (Tool)',
    'Bat': 'Bat (Animal)',
    'Dairy': 'Dairy Product',
    'Ratchet': 'Ratchet (Device)',
    'Volleyball': 'Volleyball (Ball)',
    'Horn': 'French horn',
    'Egg': 'Egg (Food)',
    'Jaguar': 'Jaguar (Animal)',
    'Lavender': 'Lavender (Plant)',
    'Pitcher': 'Pitcher (Container)',
    'Lifejacket': 'Personal flotation device',
    'Nail': 'Nail (Construction)',
    'Asparagus': 'Garden Asparagus',
    'Squash': 'Squash (Plant)',
    'Sunflower': 'Common sunflower',
}
# mmdet's list of the challenge shortens two names, so that two names occur twice.
OTHER_IN_CHALLENGE = {
    'Computer mouse': 'Mouse',
    'Training bench': 'Bench',
    'Studio couch': 'studio couch',
}


def ancestors_by_name(name):
    """Climb from parent to parent, in a way of its own."""
    by_mid = {item.mid: item for item in boxable_classes()}
    found, waiting = set(), [item for item in boxable_classes() if item.name == name]
    while waiting:
        for mid in waiting.pop().parents:
            found.add(by_mid[mid].name)
            waiting.append(by_mid[mid])
    return found


def test_the_601_classes_have_mmdets_order_and_all_names_but_those_renamed_in_v6():
    names = [RENAMED_IN_V6.get(item.name, item.name) for item in boxable_classes()]
    assert names == get_classes('oid_v6')


def test_the_500_challenge_classes_have_mmdets_order_and_names():
    classes = challenge_classes()
    names = [OTHER_IN_CHALLENGE.get(item.name, item.name) for item in classes]
    assert names == get_classes('oid_challenge')
    assert [item.challenge_id for item in classes] == list(range(1, 501))
    # The one line of the real file in mmdet's test data: /m/0cmf2,Airplane,86
    assert (classes[85].mid, classes[85].name) == ('/m/0cmf2', 'Airplane')


def test_mids_are_unique_and_sorted_as_in_the_official_file():
    """Sorted with the underscores left out: a slip in a MID would show here."""
    mids = [item.mid for item in boxable_classes()]
    assert len(set(mids)) == 601
    keys = [mid.replace('_', '') for mid in mids]
    assert all(mid.startswith('/m/0') for mid in mids)
    # '/m/09f_2' and '/m/09f20' are the one pair out of order in the official file.
    out_of_order = [a for a, b in zip(keys, keys[1:], strict=False) if a > b]
    assert out_of_order == ['/m/09f20']


def test_relations_known_by_hand_hold():
    assert ancestors_by_name('Limousine') == {'Car', 'Land vehicle', 'Vehicle'}
    assert ancestors_by_name('Cat') == {'Carnivore', 'Mammal', 'Animal'}
    assert ancestors_by_name('Bicycle') == {
        'Land vehicle',
        'Vehicle',
        'Sports equipment',
    }
    assert ancestors_by_name('Vehicle') == set()


def test_the_official_tree_has_90_classes_at_the_top_and_every_class_somewhere():
    tree = json.loads(json.dumps(hierarchy(boxable_classes())))
    assert tree['LabelName'] == ROOT_MID
    assert len(tree['Subcategory']) == 90

    def mids(node):
        children = node.get('Subcategory', [])
        return {node['LabelName']}.union(*(mids(child) for child in children))

    assert mids(tree) == {item.mid for item in boxable_classes()} | {ROOT_MID}


def test_the_challenge_tree_leaves_out_classes_that_the_challenge_does_not_have():
    """Mammal is none of the 500: a cat is a Carnivore and an Animal there."""
    tree = challenge_label_tree()
    assert tree.shape == (501, 501)
    numbers = {item.name: item.challenge_id for item in challenge_classes()}
    assert 'Mammal' not in numbers
    related = np.flatnonzero(tree[numbers['Cat']])
    assert set(related) == {numbers[name] for name in ('Cat', 'Carnivore', 'Animal')}
    for name, number in numbers.items():
        expected = {numbers.get(parent) for parent in ancestors_by_name(name)} - {None}
        assert set(np.flatnonzero(tree[number])) == expected | {number}


def test_every_category_of_the_source_domain_has_the_official_mid_of_its_name():
    for category in categories_of('source'):
        known = class_of(category)
        assert (known.mid, known.name) == (
            category.openimages_mid,
            category.openimages_name,
        )


def test_a_category_without_an_openimages_class_is_refused_by_name():
    with pytest.raises(ValueError, match="'pink_primrose'.*none of the 500 classes"):
        class_of(category_of('pink_primrose'))
