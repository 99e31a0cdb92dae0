"""The arithmetic of the audit: boxes, ids, classes, label maps, and the table."""

import numpy as np
import pytest

from mmdetxfer.datasets.annotations import Annotations
from mmdetxfer.datasets.audit import (
    BOX_REASONS,
    MAX_EXAMPLES,
    AuditTable,
    Reason,
    audit_boxes,
    audit_class_order,
    audit_empty,
    audit_ids,
    audit_splits,
    audit_unknown_classes,
    audit_unseen_classes,
    box_problems,
    remapped_values,
    wrong_labels,
)

NAN, INF = float('nan'), float('inf')


def problem_of(box, size=(100, 50)) -> Reason | None:
    found = box_problems(np.array([box]), np.array([size]))
    reasons = [reason for reason, claims in found.items() if claims[0]]
    assert len(reasons) <= 1
    return reasons[0] if reasons else None


@pytest.mark.parametrize(
    ('box', 'reason'),
    [
        ((0, 0, 100, 50), None),
        ((10, 10, 10.01, 11), None),
        ((10, 10, 10, 20), Reason.NO_AREA),
        ((10, 10, 20, 10), Reason.NO_AREA),
        ((20, 10, 10, 20), Reason.SWAPPED),
        ((10, 20, 20, 10), Reason.SWAPPED),
        ((10, NAN, 20, 20), Reason.NOT_FINITE),
        ((10, 10, INF, 20), Reason.NOT_FINITE),
        ((200, 10, 300, 20), Reason.OUTSIDE),
        # Half a pixel over a border is rounding, a whole one is not.
        ((-0.5, 0, 100.5, 50.5), None),
        ((-1, 0, 20, 20), Reason.OUTSIDE),
        ((0, -1, 20, 20), Reason.OUTSIDE),
        ((0, 0, 101, 20), Reason.OUTSIDE),
        ((0, 0, 20, 51), Reason.OUTSIDE),
        # The first reason that holds is the only one.
        ((300, 10, 200, 10), Reason.SWAPPED),
        ((300, 10, 300, 20), Reason.NO_AREA),
    ],
)
def test_each_box_has_at_most_one_problem(box, reason):
    assert problem_of(box) is reason


def test_a_box_in_an_image_of_unknown_size_may_only_pass_the_borders_at_0():
    assert problem_of((500, 500, 900, 900), (NAN, NAN)) is None
    assert problem_of((-9, 5, 900, 900), (NAN, NAN)) is Reason.OUTSIDE


def test_no_boxes_have_no_problems():
    found = box_problems(np.zeros((0, 4)), np.zeros((0, 2)))
    assert {reason: len(claims) for reason, claims in found.items()} == dict.fromkeys(
        BOX_REASONS, 0
    )


def annotations(**changes) -> Annotations:
    """Two images; a dog and a cat in the first, nothing in the second."""
    columns = dict(
        image_paths=['a.jpg', 'b.jpg'],
        image_sizes=np.array([[100.0, 50.0], [NAN, NAN]]),
        object_images=np.array([0, 0]),
        object_classes=np.array([1, 0]),
        class_names=['cat', 'dog'],
        boxes=np.array([[0.0, 0.0, 0.5, 0.9], [0.2, 0.2, 1.01, 0.5]]),
        are_relative=True,
    )
    return Annotations(**{**columns, **changes})


def rows(audit, *arguments) -> dict[Reason, tuple[int, list[str]]]:
    table = AuditTable()
    audit(table, *arguments)
    return {reason: (count, examples) for reason, count, examples in table.rows()}


def test_relative_corners_are_judged_in_pixels():
    """1.01 of 100 px is 1 px outside; of 40 px it is 0.4 px and rounding."""
    one = annotations()
    example = 'train: a.jpg: cat at 0.2, 0.2, 1.01, 0.5 in 100x50'
    wide = np.array([[100.0, 50.0], [9.0, 9.0]])
    assert rows(audit_boxes, one, wide, 'train') == {Reason.OUTSIDE: (1, [example])}
    narrow = np.array([[40.0, 50.0], [9.0, 9.0]])
    assert rows(audit_boxes, one, narrow, 'train') == {}
    in_pixels = annotations(are_relative=False)
    assert rows(audit_boxes, in_pixels, np.ones((2, 2)), 'train') == {}
    # Neither a missing size nor missing boxes make a finding.
    assert rows(audit_boxes, one, np.full((2, 2), NAN), 'train') == {}
    assert rows(audit_boxes, annotations(boxes=None), wide, 'train') == {}


def test_images_without_objects_are_empty():
    found = rows(audit_empty, annotations(), 'val')
    assert found == {Reason.EMPTY: (1, ['val: b.jpg'])}


def test_objects_are_counted_by_class():
    assert annotations().class_counts() == {'cat': 1, 'dog': 1}
    only_dogs = annotations(object_classes=np.array([1, 1]))
    assert only_dogs.class_counts() == {'dog': 2}


def test_a_part_of_the_images_keeps_its_own_objects():
    one = annotations(
        image_paths=['a', 'b', 'c'],
        image_sizes=np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]),
        object_images=np.array([0, 2, 1, 2]),
        object_classes=np.array([0, 1, 0, 0]),
        boxes=np.arange(16.0).reshape(4, 4),
        label_map_paths=['ma', 'mb', 'mc'],
    )
    part = one.only({'a', 'c'})
    assert part.image_paths == ['a', 'c'] and part.label_map_paths == ['ma', 'mc']
    assert part.image_sizes.tolist() == [[1, 1], [3, 3]]
    assert part.object_images.tolist() == [0, 1, 1]
    assert part.object_classes.tolist() == [0, 1, 0]
    assert part.boxes[:, 0].tolist() == [0, 4, 12]


def test_ids_that_occur_again_and_id_0_are_counted():
    """7 twice and 9 three times are 3 too many; 0 is no wonder as an image's id."""
    ids = [7, 7, 9, 9, 9, 0]
    assert rows(audit_ids, ids, 'annotation', 'train') == {
        Reason.REPEATED_ID: (
            3,
            [
                'train: annotation id 7 occurs 2 times',
                'train: annotation id 9 occurs 3 times',
            ],
        ),
        Reason.ZERO_ID: (1, ['train: COCOeval never counts a match with id 0']),
    }
    assert Reason.ZERO_ID not in rows(audit_ids, ids, 'image', 'train')


def test_unknown_classes_are_counted_by_object_and_unseen_ones_by_class():
    counts = {'cat': 3, 'tram': 12, 'ship': 1}
    assert rows(audit_unknown_classes, counts, ('cat', 'dog'), 'train') == {
        Reason.UNKNOWN_CLASS: (
            13,
            ['train: tram (12 objects)', 'train: ship (1 object)'],
        )
    }
    unseen = rows(audit_unseen_classes, counts, ('cat', 'dog'), 'train')
    assert unseen == {Reason.UNSEEN_CLASS: (1, ['train: dog'])}


def test_labels_that_are_read_as_another_class_are_wrong():
    """Of a, b, c the file lists c and b: label 0 is c, label 1 is b."""
    assert wrong_labels(['c', 'b'], ['a', 'b', 'c']) == {0: ('a', 'c')}
    assert wrong_labels(['b', 'a'], ['a', 'b']) == {0: ('a', 'b'), 1: ('b', 'a')}
    assert wrong_labels(['a', 'b'], ['a', 'b', 'c']) == {}
    assert wrong_labels(None, ['a']) == {}
    # x is unknown, which is another finding; b at its place is still read as b.
    assert wrong_labels(['x', 'b'], ['a', 'b']) == {}
    said = 'train: label 0 is c in the annotation, a in the config'
    found = rows(audit_class_order, ['c', 'b'], ['a', 'b', 'c'], 'train')
    assert found == {Reason.CLASS_ORDER: (1, [said])}


def test_an_image_is_in_two_splits_by_its_content():
    """x is in train and test, under two names; y twice in train; z cannot be read."""
    hashes = {
        'train': {'a.jpg': 'x', 'b.jpg': 'y', 'c.jpg': 'y', 'd.jpg': None},
        'val': {'e.jpg': 'v', 'd.jpg': None},
        'test': {'f.jpg': 'x'},
    }
    expected = {Reason.TWO_SPLITS: (1, ['train: a.jpg = test: f.jpg'])}
    assert rows(audit_splits, hashes) == expected


def test_label_map_values_are_turned_into_labels_as_mmseg_does():
    """0 becomes 255 and the others one less; then old class 1 is left out, 2 is 0."""
    counts = {0: 10, 1: 20, 2: 30, 255: 5}
    assert remapped_values(counts, None, False) == counts
    assert remapped_values(counts, None, True) == {255: 15, 0: 20, 1: 30}
    label_map = {0: 255, 1: 255, 2: 0}
    assert remapped_values(counts, label_map, False) == {255: 35, 0: 30}
    assert remapped_values({3: 7, 0: 1}, label_map, True) == {0: 7, 255: 1}


def test_the_table_counts_all_and_keeps_a_few_examples_in_a_fixed_order():
    table = AuditTable()
    assert table.rows() == []
    for index in range(MAX_EXAMPLES + 3):
        table.add(Reason.EMPTY, f'image {index}')
    table.add(Reason.READER, 'stops', 9)
    reader, empty = table.rows()
    assert reader == (Reason.READER, 9, ['stops'])
    examples = [f'image {index}' for index in range(5)]
    assert empty == (Reason.EMPTY, 8, [*examples, 'and 3 more'])
