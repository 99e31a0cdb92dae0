"""Boundary IoU: the rims that erosion leaves, as the authors' program makes them."""

import cv2
import numpy as np
import pytest

from mmdetxfer.scoring.boundary_iou import rim_counts
from mmdetxfer.scoring.confusion import segmentation_scores

VOID = 255


def authors_rim(mask, share=0.02):
    """The mask less its erosion, with the image's border as its end."""
    height, width = mask.shape
    steps = max(int(round(share * np.hypot(height, width))), 1)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    kernel = np.ones((3, 3), np.uint8)
    eroded = cv2.erode(padded, kernel, iterations=steps)[1:-1, 1:-1]
    return mask - eroded


@pytest.mark.parametrize('share', [0.02, 0.1])
@pytest.mark.parametrize('seed', range(3))
def test_each_class_has_the_authors_rims(seed, share):
    """Of two maps without void pixels; every class is a mask of its own."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 4, (2, 4, 5)).astype(np.uint8)
    truth, predicted = (
        cv2.resize(one, (120, 90), interpolation=cv2.INTER_NEAREST) for one in blocks
    )
    counts = rim_counts(truth, predicted, 4, VOID, share)
    for label in range(4):
        rims = [
            authors_rim((one == label).astype(np.uint8), share).astype(bool)
            for one in (truth, predicted)
        ]
        expected = [rims[0].sum(), rims[1].sum(), (rims[0] & rims[1]).sum()]
        assert counts[:, label].tolist() == expected
        union = (rims[0] | rims[1]).sum()
        if rims[0].any():
            iou = segmentation_scores(counts).iou[label]
            assert iou == pytest.approx(expected[2] / union)


def test_void_pixels_count_in_no_rim_but_end_the_others():
    """Columns 0 0 0 void 1 1 1 of 7 x 7, rims 1 wide: the border, and beside void.

    Of class 0 the outer pixels and the column beside the void ones: 21 but for the 5 in
    the middle column.
    """
    truth = np.zeros((7, 7), np.uint8)
    truth[:, 3], truth[:, 4:] = VOID, 1
    predicted = np.where(truth == VOID, 0, truth).astype(np.uint8)
    true, said, both = rim_counts(truth, predicted, 2, VOID)
    assert true.tolist() == [16, 16]
    # The prediction says 0 in the void column, which ends its rims too.
    assert said.tolist() == [16, 16] and both.tolist() == [16, 16]
    predicted[0, 0] = 1
    assert rim_counts(truth, predicted, 2, VOID)[2].tolist() == [15, 16]
