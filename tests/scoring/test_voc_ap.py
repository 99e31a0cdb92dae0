"""VOC's AP against hand arithmetic, brute force, mmdet and published values."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_objects import WIDE, found, random_tables, truths

from mmdetxfer.scoring import TrueObjects, average_precisions, match_objects
from mmdetxfer.scoring.voc_ap import area_under_precision, eleven_point_precision

DATA = Path(os.environ.get('MMDETXFER_REFERENCE_DATA', 'absent'))


def score(truth, answers, thresholds=(0.5,), num_classes=1, **options):
    matches = match_objects(truth, answers)
    return average_precisions(
        truth, answers, matches, thresholds, num_classes, **options
    )


def test_both_rules_by_hand():
    """Right, wrong, right of 2 objects: precisions 1, 1/2, 2/3.

    Area: 1/2 * 1 + 1/2 * 2/3 = 5/6. Eleven: recalls 0 to 0.5 have 1 (six of them), 0.6
    to 1 have 2/3 (five): (6 + 10/3) / 11 = 28/33.
    """
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    answers = found((0, 0, WIDE, 0.9), (0, 0, (50, 50, 60, 60), 0.8), (1, 0, WIDE, 0.7))
    table = score(truth, answers)
    assert table.area[0, 0] == pytest.approx(5 / 6)
    assert table.eleven[0, 0] == pytest.approx(28 / 33)


def test_eleven_recalls_are_the_floats_of_the_published_programs():
    """3 of 10 found: recalls 0, 0.1, 0.2 have 1; the next is 0.30000000000000004.

    4 of 10: 0.3 and 0.4 have 1 as well.
    """
    hits = np.array([1, 2, 3])
    assert eleven_point_precision(hits, hits, 10) == pytest.approx(3 / 11)
    more = np.array([1, 2, 3, 4])
    assert eleven_point_precision(more, more, 10) == pytest.approx(5 / 11)
    assert area_under_precision(hits, hits, 10) == pytest.approx(0.3)


def test_an_overlap_at_the_threshold_reaches_it_and_inclusive_pixels_count():
    """(0 0 10 10) and (0 0 10 5): 1/2; in inclusive pixels 66/121, above 0.54."""
    answers = found((0, 0, (0, 0, 10, 5), 0.9))
    assert score(truths((0, 0, WIDE)), answers, (0.5, 0.54)).area[:, 0].tolist() == [
        1,
        0,
    ]
    inclusive = truths((0, 0, WIDE), is_inclusive=True)
    assert score(inclusive, answers, (0.5, 0.54)).area[:, 0].tolist() == [1, 1]


def test_a_second_detection_is_wrong_but_only_where_the_first_one_reaches():
    """At 0.5 the surer one (overlap 0.6) is right, the other wrong: area 1, then 1/2.

    At 0.7 the surer one is wrong and the other (overlap 1) right: precision 1/2.
    """
    answers = found((0, 0, (0, 0, 10, 6), 0.9), (0, 0, WIDE, 0.8))
    table = score(truths((0, 0, WIDE)), answers, (0.5, 0.7))
    assert table.area[:, 0].tolist() == [1.0, 0.5]


def test_a_detection_looks_at_one_object_only():
    """Both overlap the first object most: the second object stays missed, area 1/2."""
    truth = truths((0, 0, (0, 0, 10, 10)), (0, 0, (0, 4, 10, 14)))
    answers = found((0, 0, (0, 0, 10, 10), 0.9), (0, 0, (0, 1, 10, 11), 0.8))
    assert score(truth, answers, (0.5,)).area[0, 0] == 0.5


def test_ignored_objects_are_neither_found_nor_missed():
    """One right answer of one object that counts, whatever happens to the ignored."""
    truth = truths((0, 0, WIDE), (1, 0, WIDE, True), (1, 0, (50, 50, 60, 60), True))
    sure = [(1, 0, WIDE, 0.99), (1, 0, WIDE, 0.98)]
    table = score(truth, found(*sure, (0, 0, WIDE, 0.9)))
    assert table.area[0, 0] == 1 and table.num_objects.tolist() == [1]
    # Were they objects like others: 2 of 3 found, 3 answers, one wrong.
    plain = truths(*((*row[:3],) for row in [(0, 0, WIDE), (1, 0, WIDE)]))
    assert score(plain, found(*sure, (0, 0, WIDE, 0.9))).area[0, 0] < 1


def test_by_size_others_are_left_out():
    """Under 24 px: the wide object and its detection vanish, a small wrong one counts.

    Small object found second, after a small wrong one: precision 1/2. With all sizes:
    wide right, small wrong, small right: 1/2 + 1/2 * 2/3 = 5/6.
    """
    large, small = (0, 0, 100, 100), (200, 200, 210, 210)
    truth = truths((0, 0, large), (0, 0, small))
    answers = found(
        (0, 0, large, 0.9),
        (0, 0, (400, 400, 500, 500), 0.85),
        (0, 0, (300, 300, 310, 310), 0.8),
        (0, 0, small, 0.7),
    )
    assert score(truth, answers, size_range_px=(0, 24)).area[0, 0] == 0.5
    # 1/2 * 1 + 1/2 * 2/4, both wrong ones counting.
    assert score(truth, answers).area[0, 0] == 0.75


def test_the_upper_limit_is_not_in_the_range_and_the_lower_is():
    truth = truths((0, 0, (0, 0, 24, 24)))
    answers = found((0, 0, (0, 0, 24, 24), 0.5))
    below = score(truth, answers, size_range_px=(0, 24))
    assert np.isnan(below.area[0, 0]) and below.num_defined == 0
    assert score(truth, answers, size_range_px=(24, 32)).area[0, 0] == 1


def test_a_class_without_objects_is_undefined_and_left_out_of_the_mean():
    truth = truths((0, 0, WIDE), (0, 2, WIDE))
    answers = found((0, 0, WIDE, 0.9), (0, 1, WIDE, 0.9))
    table = score(truth, answers, num_classes=3)
    assert np.isnan(table.area[0, 1]) and table.area[0, [0, 2]].tolist() == [1, 0]
    assert table.mean()[0] == 0.5 and table.mean('eleven')[0] == 0.5
    assert table.num_defined == 2
    empty = score(truths(), found())
    assert np.isnan(empty.mean()[0])


def test_nothing_found_is_zero():
    table = score(truths((0, 0, WIDE)), found())
    assert table.area[0, 0] == 0 and table.eleven[0, 0] == 0


def test_equal_scores_count_in_the_order_of_the_table():
    """The wrong one first: precision 1/2; the right one first: 1."""
    right, wrong = (0, 0, WIDE, 0.5), (0, 0, (50, 50, 60, 60), 0.5)
    truth = truths((0, 0, WIDE))
    assert score(truth, found(wrong, right)).area[0, 0] == 0.5
    assert score(truth, found(right, wrong)).area[0, 0] == 1


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_scores_and_boxes_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match='got 1 that are not, first in row 1'):
        found((0, 0, WIDE, 0.5), (0, 0, WIDE, bad))
    with pytest.raises(ValueError, match='finite scores and boxes'):
        found((0, 0, (0, 0, bad, 1), 0.5))


def test_columns_that_disagree_are_refused():
    with pytest.raises(ValueError, match=r'boxes: expected the shape \(1, 4\)'):
        TrueObjects(*(np.zeros(1, int),) * 4, is_inclusive=True)


def brute_force(truth, answers, threshold, label, size_range):
    """VOC's rule in plain loops, as its development kit tells it."""
    low, high = (limit**2 for limit in size_range)
    one = int(truth.is_inclusive)

    def area(box):
        return (box[2] - box[0] + one) * (box[3] - box[1] + one)

    def overlap(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0]) + one
        height = min(a[3], b[3]) - max(a[1], b[1]) + one
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (area(a) + area(b) - width * height)

    rows = [g for g in range(len(truth.labels)) if truth.labels[g] == label]
    counts = {
        g: not truth.is_ignored[g] and low <= area(truth.boxes[g]) < high for g in rows
    }
    taken, right, wrong, points = set(), 0, 0, []
    answers_of_class = [m for m in range(len(answers.labels))]
    for m in sorted(answers_of_class, key=lambda m: -answers.scores[m]):
        if answers.labels[m] != label:
            continue
        best, most = None, -1.0
        for g in rows:
            if truth.image_index[g] == answers.image_index[m]:
                value = overlap(answers.boxes[m], truth.boxes[g])
                if value > most:
                    best, most = g, value
        if best is not None and most >= threshold:
            if counts[best] and best not in taken:
                taken.add(best)
                right += 1
            elif counts[best]:
                wrong += 1
            else:
                continue
        elif low <= area(answers.boxes[m]) < high:
            wrong += 1
        else:
            continue
        points.append((right, right / (right + wrong)))
    total = sum(counts.values())
    if total == 0:
        return np.nan, np.nan
    at_least = [
        max((p for r, p in points if r / total >= recall), default=0.0)
        for recall in np.arange(0, 1.1, 0.1)
    ]
    whole = sum(
        max((p for r, p in points if r >= k), default=0.0) for k in range(1, total + 1)
    )
    return whole / total, sum(at_least) / 11


coordinates = st.integers(0, 12)
boxes = st.tuples(coordinates, coordinates, st.integers(1, 9), st.integers(1, 9)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
true_rows = st.tuples(st.integers(0, 2), st.integers(0, 1), boxes, st.booleans())
found_rows = st.tuples(
    st.integers(0, 2), st.integers(0, 1), boxes, st.sampled_from([0.1, 0.5, 0.5, 0.9])
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(true_rows, max_size=9),
    st.lists(found_rows, max_size=14),
    st.booleans(),
    st.sampled_from([(0.0, float('inf')), (0.0, 4.0), (3.0, 6.0)]),
)
def test_the_score_is_that_of_plain_loops(
    true_table, found_table, inclusive, size_range
):
    """Ties, second detections, ignored ones, and overlaps of exactly 1/2 and 1/3."""
    truth = truths(*true_table, is_inclusive=inclusive)
    answers = found(*found_table)
    thresholds = (0.1, 1 / 3, 0.5, 0.7, 1.0)
    table = score(truth, answers, thresholds, 2, size_range_px=size_range)
    for place, threshold in enumerate(thresholds):
        for label in (0, 1):
            area, eleven = brute_force(truth, answers, threshold, label, size_range)
            np.testing.assert_allclose(table.area[place, label], area, atol=1e-12)
            np.testing.assert_allclose(table.eleven[place, label], eleven, atol=1e-12)


@pytest.mark.parametrize('size_range', [None, (0, 40), (40, 1000)])
def test_the_score_is_that_of_mmdet(size_range):
    from mmdet.evaluation.functional import eval_map

    truth, answers = random_tables(3)
    annotations, detections = [], []
    for image in range(40):
        own = truth.image_index == image
        kept, ignored = own & ~truth.is_ignored, own & truth.is_ignored
        annotations.append(
            dict(
                bboxes=truth.boxes[kept],
                labels=truth.labels[kept],
                bboxes_ignore=truth.boxes[ignored],
                labels_ignore=truth.labels[ignored],
            )
        )
        rows = [
            (answers.image_index == image) & (answers.labels == k) for k in range(3)
        ]
        columns = [answers.boxes, answers.scores[:, None]]
        table = np.concatenate(columns, axis=1).astype(np.float32)
        detections.append([table[one] for one in rows])
    # Its 'area' alone: the 11 points are compared in floats there.
    theirs, _ = eval_map(
        detections,
        annotations,
        scale_ranges=None if size_range is None else [size_range],
        iou_thr=0.5,
        use_legacy_coordinate=True,
        logger='silent',
        nproc=1,
    )
    options = {} if size_range is None else dict(size_range_px=size_range)
    ours = score(truth, answers, (0.5,), 3, **options).mean()[0]
    theirs = theirs[0] if isinstance(theirs, list) else theirs
    assert ours == pytest.approx(theirs, abs=1e-6) and 0.1 < ours < 0.9


@pytest.mark.skipif(
    not DATA.is_dir(), reason='MMDETXFER_REFERENCE_DATA names no folder'
)
def test_published_values_of_a_real_example_agree():
    """The values are published with the data; corners are x + w, taken as inclusive."""
    folder = DATA / 'rafaelpadilla' / 'test_case_1'
    tables = {'gts': [], 'dets': []}
    for kind, rows in tables.items():
        for image, path in enumerate(sorted((folder / kind).glob('*.txt'))):
            for line in path.read_text().splitlines():
                *score_text, x, y, w, h = map(float, line.split()[1:])
                rows.append((image, 0, (x, y, x + w, y + h), *score_text))
    truth = truths(*tables['gts'], is_inclusive=True)
    table = score(truth, found(*tables['dets']), (0.1, 0.3, 0.5, 0.75))
    eleven = [0.3333333333, 0.2683982683, 0.0303030303, 0.0]
    area = [0.3371980676, 0.2456866804, 0.0222222222, 0.0]
    np.testing.assert_allclose(table.eleven[:, 0], eleven, atol=1e-9)
    np.testing.assert_allclose(table.area[:, 0], area, atol=1e-9)
