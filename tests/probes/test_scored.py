"""A probe from beginning to end: what it is made of, and what it refuses."""

import numpy as np
import pytest
from toy_features import overlapping

from mmdetxfer.probes import (
    NotConvergedError,
    accuracy,
    choose_logistic,
    eigenbasis,
    few_rows,
    fit_logistic,
    held_out_rows,
    probe_of,
)
from mmdetxfer.probes.scored import (
    FEW_STRENGTH,
    ProbeSettings,
    check_classes,
    few_shot_probe,
    present_classes,
    scored_probe,
)

CLASSES = ('a', 'b', 'c', 'd')
FEATURES, LABELS = overlapping(240, 8, len(CLASSES))
LEARN, TEST = slice(0, 160), slice(160, 240)
PARTS = (FEATURES[LEARN], LABELS[LEARN], FEATURES[TEST], LABELS[TEST], CLASSES)
SETTINGS = ProbeSettings(strengths=(0.01, 1.0, 100.0))


def test_the_strength_is_chosen_on_the_held_out_part_and_scored_once():
    choice, found = scored_probe(*PARTS, SETTINGS)
    held_out = held_out_rows(LABELS[LEARN], 0.2, 0)
    expected = choose_logistic(
        FEATURES[LEARN], LABELS[LEARN], held_out, 4, SETTINGS.strengths
    )
    assert choice.scores == expected.scores and len(choice.scores) == 3
    scores = expected.probe.scores(FEATURES[TEST])
    np.testing.assert_array_equal(found.is_right, scores.argmax(1) == LABELS[TEST])
    assert found.top1 == accuracy(scores, LABELS[TEST]).top1


@pytest.mark.parametrize(
    'other',
    [
        dict(strengths=(1000.0,)),
        dict(held_out=0.5),
        dict(seed=1),
        dict(is_standardised=False),
    ],
)
def test_every_setting_counts(other):
    first = scored_probe(*PARTS, ProbeSettings(strengths=(0.01, 1.0, 100.0)))[0]
    settings = ProbeSettings(**{'strengths': (0.01, 1.0, 100.0), **other})
    second = scored_probe(*PARTS, settings)[0]
    is_other = first.scores != second.scores
    assert is_other or not np.allclose(first.probe.weights, second.probe.weights)


def test_a_few_images_of_each_class_at_a_fixed_strength():
    found = few_shot_probe(*PARTS, shots=2, draw=3, settings=SETTINGS)
    rows = few_rows(LABELS[LEARN], 2, 3)
    basis = eigenbasis(FEATURES[rows])
    fit = fit_logistic(basis, LABELS[rows], 4, FEW_STRENGTH)
    scores = probe_of(basis, fit).scores(FEATURES[TEST])
    np.testing.assert_array_equal(found.is_right, scores.argmax(1) == LABELS[TEST])


def test_with_more_of_them_the_strength_is_chosen():
    found = few_shot_probe(*PARTS, shots=10, draw=0, settings=SETTINGS)
    rows = few_rows(LABELS[LEARN], 10, 0)
    few = (FEATURES[LEARN][rows], LABELS[LEARN][rows], *PARTS[2:])
    expected = scored_probe(*few, SETTINGS)[1]
    np.testing.assert_array_equal(found.is_right, expected.is_right)


def test_classes_without_images_are_named():
    labels = np.array([0, 0, 2, 2])
    with pytest.raises(ValueError, match=r"class 'b' has none \(2 without\)"):
        check_classes(labels, labels, CLASSES)
    with pytest.raises(ValueError, match='expected 0 to 2 in the test, got 4'):
        check_classes(np.arange(3), np.array([4]), ('a', 'b', 'c'))


def test_of_many_features_fewer_strengths_are_tried():
    settings = ProbeSettings((1.0, 2.0), strengths_of_many=(3.0,))
    assert settings.grid(10_000) == (1.0, 2.0)
    assert settings.grid(10_001) == (3.0,)
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(12, 10_001)).astype(np.float32)
    labels = np.arange(12) % 2
    choice, _ = scored_probe(wide, labels, wide, labels, ('a', 'b'), settings)
    assert list(choice.scores) == [3.0]


@pytest.mark.parametrize('count, step', [(45, 5), (15, 2), (10, 2), (9, 1), (1, 1)])
def test_of_many_features_every_so_manyth_of_ones_own_strengths_is_tried(count, step):
    """Nine of 45, eight of 15, five of 10, and all of nine; from strong to weak."""
    own = [float(k) for k in range(count, 0, -1)]
    shuffled = tuple(np.random.default_rng(0).permutation(own).tolist())
    assert ProbeSettings(shuffled).grid(10_000) == shuffled
    assert ProbeSettings(shuffled).grid(10_001) == tuple(own[::step])


def test_by_default_nine_are_tried_of_many_features():
    """10**5 to 10**-6 in 45 steps: each fifth is 10**1.25 below the one before."""
    expected = [10 ** (5 - 1.25 * k) for k in range(9)]
    assert ProbeSettings().grid(50_176) == pytest.approx(expected)


def test_a_few_images_whose_fit_does_not_converge_are_an_error(monkeypatch):
    """As a chosen strength's: classes that a line separates, next to no penalty."""
    monkeypatch.setattr('mmdetxfer.probes.scored.FEW_STRENGTH', 1e-30)
    with pytest.raises(NotConvergedError, match='2 images a class: strength 1e-30 did'):
        few_shot_probe(*PARTS, shots=2, draw=3, settings=SETTINGS)


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(strengths=()), '^strengths: expected one or more above 0, got'),
        (dict(strengths_of_many=(0.0,)), '^strengths_of_many: expected one or more ab'),
        (dict(strengths_of_many=()), '^strengths_of_many: expected one or more above'),
        (dict(held_out=1.5), 'a share of 1 above 0, got 1.5'),
    ],
)
def test_settings_that_choose_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ProbeSettings(**settings)


def test_classes_without_images_can_be_left_out():
    train, test = np.array([0, 2, 2, 5]), np.array([5, 0])
    classes, labels = present_classes(tuple('abcdef'), train, test)
    assert classes == ('a', 'c', 'f')
    assert [one.tolist() for one in labels] == [[0, 1, 1, 2], [2, 0]]
    with pytest.raises(ValueError, match="to learn from, 'b' is not"):
        present_classes(tuple('abcdef'), train, np.array([1]))
    with pytest.raises(ValueError, match='to learn from, 6 is not'):
        present_classes(tuple('abcdef'), train, np.array([6]))
