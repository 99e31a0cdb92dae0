"""Scores out of counts, by hand."""

import numpy as np

from mmdetxfer.scoring.confusion import class_counts, segmentation_scores


def test_scores_of_a_small_table():
    """Class 0: 6 right of 8 true and 6 predicted. Class 1: 1 of 2, three predicted.

    Class 2 is predicted once and not true: no score. 7 of 10 pixels are right.
    """
    confusion = np.array([[6, 2, 0], [0, 1, 1], [0, 0, 0]])
    counts = class_counts(confusion)
    np.testing.assert_array_equal(counts, [[8, 2, 0], [6, 3, 1], [6, 1, 0]])
    scores = segmentation_scores(counts)
    np.testing.assert_allclose(scores.iou, [6 / 8, 1 / 4, np.nan])
    np.testing.assert_allclose(scores.class_accuracy, [6 / 8, 1 / 2, np.nan])
    np.testing.assert_allclose(scores.mean_iou, 0.5)
    np.testing.assert_allclose(scores.mean_accuracy, 5 / 8)
    np.testing.assert_allclose(scores.pixel_accuracy, 0.7)
    assert scores.num_classes == 2


def test_nothing_has_no_score_and_leading_axes_stay():
    counts = np.zeros((4, 3, 2))
    counts[1] = [[2, 0], [1, 1], [1, 0]]
    scores = segmentation_scores(counts)
    np.testing.assert_array_equal(scores.num_classes, [0, 1, 0, 0])
    np.testing.assert_array_equal(scores.mean_iou, [np.nan, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(scores.pixel_accuracy, [np.nan, 0.5, np.nan, np.nan])
    assert scores.iou.shape == (4, 2)
