"""Weights of images are images drawn as often."""

import numpy as np
import pytest
from toy_objects import WIDE, found, random_tables, truths

from mmdetxfer.scoring import (
    FoundObjects,
    TrueObjects,
    average_precisions,
    match_objects,
)
from mmdetxfer.scoring.resampled_ap import image_weights, resampled_mean_precisions

THRESHOLDS = (0.3, 0.5, 0.7)


def drawn(truth, answers, weights):
    """Build the resampled set: every image as often as its weight says."""
    copies = [(k, n) for k, w in enumerate(weights) for n in range(w)]
    true_rows, found_rows, true_images, found_images = [], [], [], []
    for number, (image, _) in enumerate(copies):
        own = np.flatnonzero(truth.image_index == image)
        true_rows.extend(own)
        true_images.extend([number] * len(own))
        own = np.flatnonzero(answers.image_index == image)
        found_rows.extend(own)
        found_images.extend([number] * len(own))
    new_truth = TrueObjects(
        np.array(true_images),
        truth.labels[true_rows],
        truth.boxes[true_rows],
        truth.is_ignored[true_rows],
        truth.is_inclusive,
    )
    new_found = FoundObjects(
        np.array(found_images),
        answers.labels[found_rows],
        answers.boxes[found_rows],
        answers.scores[found_rows],
    )
    return new_truth, new_found


@pytest.mark.parametrize('size_range', [(0.0, float('inf')), (0.0, 40.0)])
def test_weights_score_as_the_set_that_they_draw(size_range):
    """Copies of a detection have equal scores; their order makes no difference here."""
    truth, answers = random_tables(5)
    weights = image_weights(40, 6, seed=1)
    assert weights.shape == (6, 40) and (weights.sum(1) == 40).all()
    weights[0] = 1
    means, defined = resampled_mean_precisions(
        truth,
        answers,
        match_objects(truth, answers),
        THRESHOLDS,
        3,
        weights,
        size_range,
    )
    for row, own in enumerate(weights):
        new_truth, new_found = drawn(truth, answers, own)
        table = average_precisions(
            new_truth,
            new_found,
            match_objects(new_truth, new_found),
            THRESHOLDS,
            3,
            size_range,
        )
        # Copies that stand beside each other: the envelope takes the last of them.
        np.testing.assert_allclose(means[row], table.mean(), atol=0.02)
        assert defined[row] == table.num_defined
    np.testing.assert_allclose(means[0], table_of_all(truth, answers, size_range))


def table_of_all(truth, answers, size_range):
    matches = match_objects(truth, answers)
    table = average_precisions(truth, answers, matches, THRESHOLDS, 3, size_range)
    return table.mean()


def test_by_hand():
    """Right in image 0, then wrong in image 1 which has an object, weights 2 and 1.

    2 of 3 objects found, precision 1 there: 2/3. Weights 0 and 3: nothing found, 0.
    Weights 3 and 0: 1.
    """
    truth = truths((0, 0, WIDE), (1, 0, WIDE))
    answers = found((0, 0, WIDE, 0.9), (1, 0, (50, 50, 60, 60), 0.8))
    weights = np.array([[2, 1], [0, 3], [3, 0]])
    means, _ = resampled_mean_precisions(
        truth, answers, match_objects(truth, answers), (0.5,), 1, weights
    )
    assert means[:, 0].tolist() == pytest.approx([2 / 3, 0, 1])


def test_a_class_that_a_resample_lost_is_left_out_and_counted():
    truth = truths((0, 0, WIDE), (1, 1, WIDE))
    answers = found((0, 0, WIDE, 0.9))
    weights = np.array([[1, 1], [2, 0], [0, 0]])
    means, defined = resampled_mean_precisions(
        truth, answers, match_objects(truth, answers), (0.5,), 2, weights
    )
    assert means[:2, 0].tolist() == [0.5, 1.0] and np.isnan(means[2, 0])
    assert defined.tolist() == [2, 1, 0]


def test_draws_are_a_function_of_the_seed():
    assert np.array_equal(image_weights(9, 4, 1), image_weights(9, 4, 1))
    assert not np.array_equal(image_weights(9, 4, 1), image_weights(9, 4, 2))
