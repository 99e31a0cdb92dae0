"""Hoiem's four kinds of false detections, by hand."""

import numpy as np
import pytest
from toy_objects import WIDE, found, truths

from mmdetxfer.scoring.hoiem import (
    KINDS,
    detection_kinds,
    kind_shares,
    similar_classes,
    surest_detections,
)

CLASSES = ('cat', 'dog', 'car')
# Overlaps with WIDE of 0.6, 0.1 and 0.05.
CUT, EDGE, LESS = ((0, 0, 10, height) for height in (6, 1, 0.5))
FAR = (50, 50, 60, 60)


def kinds_of(truth, answers, **options):
    kinds = detection_kinds(truth, answers, similar_classes(CLASSES), **options)
    return [KINDS[kind] for kind in kinds]


def test_each_kind_in_its_order():
    """A cat and a car: the first fitting kind wins, from 0.1 on."""
    truth = truths((0, 0, WIDE), (1, 2, WIDE))
    rows = [(0, 0, WIDE), (0, 0, CUT), (0, 0, EDGE), (0, 1, WIDE), (0, 2, CUT)]
    rows += [(0, 0, FAR), (0, 0, LESS), (1, 2, EDGE), (1, 0, WIDE), (2, 0, WIDE)]
    answers = found(*[(*row, 0.9 - k / 100) for k, row in enumerate(rows)])
    assert kinds_of(truth, answers) == (
        'right Loc Loc Sim Oth BG BG Loc Oth BG'.split()
    )


def test_own_class_before_similar_before_others():
    """On a cat, a dog and a car at once."""
    truth = truths((0, 0, CUT), (0, 1, CUT), (0, 2, CUT), (1, 1, CUT), (1, 2, CUT))
    answers = found((0, 0, (0, 0, 10, 2), 0.9), (1, 0, (0, 0, 10, 2), 0.9))
    assert kinds_of(truth, answers) == ['Loc', 'Sim']


def test_ignored_objects_leave_the_first_out_and_make_others_badly_placed():
    """Strong and weak overlaps are settings."""
    truth = truths((0, 0, WIDE, True))
    answers = found((0, 0, WIDE, 0.9), (0, 0, CUT, 0.8), (0, 1, EDGE, 0.7))
    assert kinds_of(truth, answers) == ['left out', 'Loc', 'Sim']
    assert kinds_of(truth, answers, min_overlap=1.1) == ['Loc', 'Loc', 'Sim']
    assert kinds_of(truth, answers, weak_overlap=0.2) == ['left out', 'Loc', 'BG']


def test_similar_classes_are_those_of_the_authors():
    names = ('person', 'cow', 'bird', 'aeroplane', 'train', 'chair', 'sofa', 'bottle')
    is_similar = similar_classes(names)
    pairs = {(names[a], names[b]) for a, b in np.argwhere(is_similar) if a < b}
    assert pairs == {
        ('person', 'cow'),
        ('person', 'bird'),
        ('cow', 'bird'),
        ('bird', 'aeroplane'),
        ('aeroplane', 'train'),
        ('chair', 'sofa'),
    }
    assert (is_similar == is_similar.T).all() and not is_similar.diagonal().any()
    own = similar_classes(names, [('cow', 'train')])
    assert np.argwhere(own).tolist() == [[1, 4], [4, 1]]


def test_as_many_of_the_surest_count_as_a_class_has_objects():
    """Two cats and a dog; an ignored car makes no room."""
    truth = truths((0, 0, WIDE), (1, 0, WIDE), (0, 1, FAR), (2, 2, WIDE, True))
    rows = [(0, 0, WIDE, 0.3), (1, 0, FAR, 0.9), (1, 0, WIDE, 0.5), (0, 1, FAR, 0.1)]
    answers = found(*rows, (2, 2, WIDE, 0.9))
    is_sure = surest_detections(truth, answers, 3)
    assert is_sure.tolist() == [False, True, True, True, False]
    kinds = detection_kinds(truth, answers, similar_classes(CLASSES))
    shares = kind_shares(answers, kinds, is_sure)
    # Cats: one right, one background; dogs: right.
    assert shares == dict(right=0.75, Loc=0, Sim=0, Oth=0, BG=0.25)
    left_out = kind_shares(answers, kinds, np.array([0, 0, 0, 0, 1], dtype=bool))
    assert left_out['right'] == 1
    nothing = kind_shares(answers, kinds, np.zeros(5, dtype=bool))
    assert list(nothing) == list(shares) and np.isnan(list(nothing.values())).all()


def test_a_fresh_table_of_no_detections():
    assert kinds_of(truths((0, 0, WIDE)), found()) == []
    assert surest_detections(truths((0, 0, WIDE)), found(), 3).tolist() == []
    assert pytest.approx(0) == similar_classes(['a', 'b']).sum()
