"""Tables of objects: some classes of them."""

import numpy as np
from toy_objects import WIDE, found, truths

from mmdetxfer.scoring.objects import of_classes


def test_rows_of_some_classes_numbered_in_their_order():
    truth = truths((0, 3, WIDE), (1, 1, WIDE), (2, 0, WIDE, True), is_inclusive=True)
    own = of_classes(truth, (0, 3))
    assert own.labels.tolist() == [1, 0] and own.image_index.tolist() == [0, 2]
    assert own.is_ignored.tolist() == [False, True] and own.is_inclusive
    turned = of_classes(found((0, 3, WIDE, 0.5), (1, 0, WIDE, 0.25)), [3, 0])
    assert turned.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(turned.scores, [0.5, 0.25])


def test_classes_that_no_row_has():
    assert len(of_classes(found((0, 1, WIDE, 0.5)), (7,)).labels) == 0
    assert len(of_classes(found(), (0, 1)).labels) == 0
