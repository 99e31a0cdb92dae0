"""Missed objects by Hoiem's rule, by hand and in plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_objects import WIDE, found, truths

from mmdetxfer.scoring.missed import (
    is_occluded,
    missed_objects,
    missed_shares,
    normalised_precision,
    resampled_missed_shares,
)

FAR = (50, 50, 60, 60)


def missed(truth, answers, num_images=100, num_classes=1, **options):
    return missed_objects(truth, answers, num_images, num_classes, **options).tolist()


def test_what_no_detection_takes_is_missed_and_half_an_overlap_is_enough():
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    answers = found((0, 0, (0, 0, 10, 5), 0.9), (1, 0, (0, 0, 10, 4.9), 0.8))
    assert missed(truth, answers) == [False, True]
    assert missed(truth, answers, min_overlap=0.6) == [True, True]


def test_a_detection_takes_the_object_that_is_left():
    """Both overlap the first object most; under VOC's rule the second stays missed."""
    truth = truths((0, 0, (0, 0, 10, 10)), (0, 0, (0, 2, 10, 12)))
    answers = found((0, 0, (0, 0, 10, 10), 0.9), (0, 0, (0, 0.5, 10, 10.5), 0.8))
    assert missed(truth, answers) == [False, False]


def test_precision_is_normalised_to_a_share_of_the_images():
    """Wrong, right: of 1 object, as of 15 in 100 images: 15 / (15 + 1)."""
    right, wrong = np.array([False, True]), np.array([True, False])
    assert normalised_precision(right, wrong, 1, 15).tolist() == [15 / 16, 15 / 16]
    # 1 of 30 objects counts as half of one.
    assert normalised_precision(right, wrong, 30, 15)[1] == pytest.approx(0.5 / 1.5)
    # The envelope goes to the surer ones, not to those behind.
    both = normalised_precision(~wrong, wrong, 2, 2)
    last = normalised_precision(np.array([True, False]), right, 2, 2)
    assert both[0] == both[1] == 0.5 and last.tolist() == [1.0, 0.5]


def test_an_object_that_was_found_with_too_little_precision_is_missed():
    """One object in one image counts as 0.15: after w wrong ones 0.15 / (0.15 + w).

    With 2 wrong it is 0.0698, with 3 it is 0.0476, under 0.05.
    """
    truth = truths((0, 0, WIDE))
    wrong = [(0, 0, FAR, 0.9 - k / 100) for k in range(3)]
    assert missed(truth, found(*wrong[:2], (0, 0, WIDE, 0.1)), 1) == [False]
    assert missed(truth, found(*wrong, (0, 0, WIDE, 0.1)), 1) == [True]


def test_ignored_objects_are_never_missed_and_the_first_on_them_is_left_out():
    """Three wrong ones before it make an object missed (0.15 / 3.15 is under 0.05).

    Of four on an ignored object the first is left out, three are wrong; of three, two.
    """
    truth = truths((0, 0, WIDE), (0, 0, FAR, True))
    few = found(*[(0, 0, FAR, 0.9)] * 3, (0, 0, WIDE, 0.1))
    assert missed(truth, few, 1) == [False, False]
    many = found(*[(0, 0, FAR, 0.9)] * 4, (0, 0, WIDE, 0.1))
    assert missed(truth, many, 1) == [True, False]
    counted = truths((0, 0, WIDE))
    assert missed(counted, few, 1) == [True]


def test_truncated_counts_as_occluded_at_every_level():
    occlusion, truncated = np.array([0, 1, 2, 3, -1]), np.array([1, 0, 0, 0, 0])
    assert is_occluded(occlusion, truncated, 1).tolist() == [True] * 4 + [False]
    assert is_occluded(occlusion, truncated, 2).tolist() == [1, 0, 1, 1, 0]
    assert is_occluded(occlusion, truncated, 3).tolist() == [1, 0, 0, 1, 0]
    with pytest.raises(ValueError, match='expected 1 .low., 2 .medium. or 3'):
        is_occluded(occlusion, truncated, 0)


def test_shares_by_class_their_mean_and_all_together():
    """Class 0: 1 of 1, class 2: 1 of 3; mean 2/3, pooled 2/4. Class 1 has none."""
    rows = [(0, 0, WIDE), *[(k, 2, WIDE) for k in range(3)], (5, 0, WIDE, True)]
    truth = truths(*rows, (6, 1, WIDE))
    is_missed = np.array([True, True, False, False, False, True])
    in_set = np.array([True] * 5 + [False])
    shares = missed_shares(is_missed, truth, in_set, [0, 1, 2])
    assert shares.num_objects.tolist() == [1, 0, 3]
    np.testing.assert_allclose(shares.by_class, [1, np.nan, 1 / 3])
    assert shares.mean == pytest.approx(2 / 3) and shares.pooled == 0.5
    nothing = missed_shares(is_missed, truth, np.zeros(6, bool), [0])
    assert np.isnan(nothing.mean) and np.isnan(nothing.pooled)


def test_shares_of_resamples_are_those_of_repeated_images():
    """Class 0: 1 of 2 missed, class 2: 1 of 1, in three images of one object each."""
    truth = truths((0, 0, WIDE), (1, 0, WIDE), (2, 2, WIDE), (2, 2, FAR, True))
    is_missed = np.array([True, False, True, False])
    weights = np.array([[1, 1, 1], [3, 1, 0], [0, 2, 0], [0, 0, 0], [1, 2, 1]])
    tables = (is_missed, truth, np.ones(4, dtype=bool), [0, 1, 2])
    shares = resampled_missed_shares(*tables, weights)
    np.testing.assert_allclose(shares, [0.75, 0.75, 0, np.nan, (1 / 3 + 1) / 2])
    assert shares[0] == missed_shares(*tables).mean


def in_plain_loops(truth, answers, num_images, label):
    """The rule as the authors' program tells it, for one class."""
    objects = [g for g in range(len(truth.labels)) if truth.labels[g] == label]
    npos = sum(not truth.is_ignored[g] for g in objects)
    if npos == 0:
        return dict.fromkeys(objects, False)
    normal = 0.15 * num_images
    one = int(truth.is_inclusive)

    def overlap(a, b):
        sides = [min(a[k + 2], b[k + 2]) - max(a[k], b[k]) + one for k in (0, 1)]
        if min(sides) <= 0:
            return 0.0
        areas = [(c[2] - c[0] + one) * (c[3] - c[1] + one) for c in (a, b)]
        common = sides[0] * sides[1]
        return common / (sum(areas) - common)

    taken, tp, fp, curve = {}, 0, 0, []
    order = sorted(range(len(answers.scores)), key=lambda m: -answers.scores[m])
    for m in order:
        if answers.labels[m] != label:
            continue
        best, most = None, 0.0
        for g in objects:
            same = truth.image_index[g] == answers.image_index[m]
            if same and g not in taken:
                value = overlap(answers.boxes[m], truth.boxes[g])
                if value >= 0.5 and value > most:
                    best, most = g, value
        if best is None:
            fp += 1
        else:
            taken[best] = len(curve)
            tp += not truth.is_ignored[best]
        curve.append((tp, fp))
    precisions = [
        t * normal / npos / (t * normal / npos + f) if t + f else 0.0 for t, f in curve
    ]
    return {
        g: not truth.is_ignored[g]
        and (g not in taken or max(precisions[taken[g] :], default=0.0) < 0.05)
        for g in objects
    }


numbers = st.integers(0, 8)
boxes = st.tuples(numbers, numbers, st.integers(2, 6), st.integers(2, 6)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), boxes, st.booleans()),
        min_size=1,
        max_size=8,
    ),
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.integers(0, 1),
            boxes,
            st.sampled_from([0.1, 0.4, 0.4, 0.8]),
        ),
        max_size=16,
    ),
    st.booleans(),
)
def test_it_is_the_rule_in_plain_loops(true_rows, found_rows, inclusive):
    truth = truths(*true_rows, is_inclusive=inclusive)
    answers = found(*found_rows)
    got = missed(truth, answers, num_images=2, num_classes=2)
    for label in (0, 1):
        for place, expected in in_plain_loops(truth, answers, 2, label).items():
            assert got[place] == expected
