"""Categories: real names in the lists of the hosts, and the plan of shared parts."""

from collections import Counter

import pytest
from mmdet.datasets import CocoDataset, VOCDataset
from mmdet.evaluation import get_classes

from mmdetxfer.worlds.backgrounds import CLUTTER_DEGREES, CLUTTER_PERIODS_PX
from mmdetxfer.worlds.categories import (
    CATEGORIES,
    DOMAINS,
    SHARED_KEYS,
    SUPER_CATEGORIES,
    caltech256_categories,
    categories_of,
    category_of,
    flower_categories,
)

# Those with occlusion labels in VOC07 (Hoiem et al. 2012).
LABELLED = {'aeroplane', 'bicycle', 'bird', 'boat', 'cat', 'chair', 'diningtable'}
CHANNELS = ('voc', 'coco', 'openimages_mid', 'openimages_name', 'synset', 'caltech256')


def test_source_names_are_known_to_coco_both_openimages_and_imagenet():
    coco = CocoDataset.METAINFO['classes']
    boxable, challenge = get_classes('oid_v6'), get_classes('oid_challenge')
    for category in categories_of('source'):
        assert category.coco in coco
        assert category.openimages_name in boxable
        assert category.openimages_name in challenge
        assert category.openimages_mid.startswith('/m/0')
        assert category.synset[0] == 'n' and len(category.synset) == 9


def test_target_names_are_known_to_voc_and_coco():
    for category in categories_of('target'):
        assert category.voc in VOCDataset.METAINFO['classes']
        assert category.coco in CocoDataset.METAINFO['classes']


def test_the_target_has_the_seven_classes_with_occlusion_labels():
    assert {category.voc for category in categories_of('target')} > LABELLED


@pytest.mark.parametrize('domain', DOMAINS)
def test_each_domain_has_12_or_more_categories_of_all_super_categories(domain):
    numbers = Counter(category.super_category for category in categories_of(domain))

    assert numbers.total() >= 12
    assert set(numbers) == set(SUPER_CATEGORIES)
    assert min(numbers.values()) >= 4


def test_domains_share_the_stated_part_alone_vehicles_and_animals():
    source, target = (
        {category.key for category in categories_of(domain)} for domain in DOMAINS
    )

    assert source & target == set(SHARED_KEYS)
    shared = {category_of(key).super_category for key in SHARED_KEYS}
    assert shared == {'vehicle', 'animal'}
    assert len(SHARED_KEYS) < len(source) / 3


def test_every_texture_is_of_one_category_and_clutter_has_none_of_them():
    textures = [(item.texture_family, *item.texture) for item in CATEGORIES]

    assert len(set(textures)) == len(textures)
    for _, degrees, period in textures:
        assert degrees not in CLUTTER_DEGREES
        assert period not in CLUTTER_PERIODS_PX


@pytest.mark.parametrize('domain', DOMAINS)
def test_resizing_an_image_turns_no_texture_of_a_domain_into_another(domain):
    """The period changes with the scale, family and direction stay."""
    kinds = [(c.texture_family, c.texture[0]) for c in categories_of(domain)]

    assert len(set(kinds)) == len(kinds)


def test_squares_have_no_texture_that_a_quarter_turn_leaves_as_it_is():
    """Checks and dots are the same at 0 and 90 degrees."""
    square = [
        c.texture[0] for c in CATEGORIES if c.texture_family in ('checks', 'dots')
    ]

    assert set(square) == {0, 45}


def test_mirroring_an_image_turns_no_texture_into_another():
    """A mirror turns d degrees into -d, and objects have both: 0, 45 and 90 stay."""
    assert {item.texture[0] for item in CATEGORIES} == {0, 45, 90}


@pytest.mark.parametrize('domain', DOMAINS)
def test_no_outline_names_a_category_nor_a_texture_family(domain):
    categories = categories_of(domain)
    outlines = Counter(category.outline for category in categories)
    families = Counter(category.texture_family for category in categories)

    assert min(outlines.values()) >= 2
    assert min(families.values()) >= 2


@pytest.mark.parametrize('domain', DOMAINS)
def test_some_outlines_cross_super_categories(domain):
    kinds = {}
    for category in categories_of(domain):
        kinds.setdefault(category.outline, set()).add(category.super_category)

    assert sum(len(kind) > 1 for kind in kinds.values()) >= 2


@pytest.mark.parametrize('channel', CHANNELS)
def test_no_real_name_is_given_twice(channel):
    names = [getattr(category, channel) for category in CATEGORIES]
    given = [name for name in names if name is not None]

    assert len(set(given)) == len(given)


def test_caltech_folders_have_their_three_digits_and_flowers_their_ids():
    for category in caltech256_categories():
        assert category.caltech256[:3].isdigit() and category.caltech256[3] == '.'
        assert 'target' in category.domains
    ids = [category.flower_id for category in flower_categories()]
    assert ids == sorted(ids) and 1 <= ids[0] and ids[-1] <= 102
    assert len(caltech256_categories()) >= 8 and len(ids) >= 8
    assert not set(flower_categories()) & set(categories_of('target'))
