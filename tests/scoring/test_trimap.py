"""Bands around boundaries: as dilations and loops over widths count them."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from mmdetxfer.scoring.confusion import class_counts
from mmdetxfer.scoring.trimap import (
    band_confusion,
    boundary_distances,
    edges,
    inside_and_outside,
    widths_in_pixels,
)

VOID = 255
NUM_CLASSES = 5


def random_maps(seed, shape=(23, 31)):
    """Labels in blocks, with void pixels along some of their ends and elsewhere."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, NUM_CLASSES, (4, 5))
    truth = np.kron(blocks, np.ones((7, 7), int))[: shape[0], : shape[1]]
    truth = truth.astype(np.uint8)
    is_edge = edges(truth)
    truth[is_edge & (rng.random(shape) < 0.6)] = VOID
    predicted = rng.integers(0, NUM_CLASSES, shape).astype(np.uint8)
    return truth, predicted


def plain_confusion(truth, predicted, chosen):
    counts = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=int)
    np.add.at(counts, (truth[chosen], predicted[chosen]), 1)
    return counts


def nearest(truth, kind, metric):
    """Distances one by one: to void pixels, or to pixels of another label."""
    places = np.argwhere(np.ones(truth.shape, bool))
    name = {'square': 'chebyshev', 'euclidean': 'euclidean'}[metric]
    apart = cdist(places, places, name)
    labels = truth.ravel()
    if kind == 'void':
        apart[:, labels != VOID] = np.inf
    else:
        apart[labels[:, None] == labels[None, :]] = np.inf
    return apart.min(1).reshape(truth.shape)


@pytest.mark.parametrize('seed', range(4))
def test_the_band_is_deeplabs_dilation_of_void_pixels(seed):
    """A square of side 2w + 1, without the void pixels, a width after the other."""
    truth, predicted = random_maps(seed)
    widths = np.arange(1, 9)
    distances = boundary_distances(truth, VOID)
    bands = band_confusion(truth, predicted, distances, widths, NUM_CLASSES, VOID)
    inside, outside = inside_and_outside(bands)
    is_void = truth == VOID
    for place, width in enumerate(widths):
        square = np.ones((2 * width + 1, 2 * width + 1), bool)
        band = ndimage.binary_dilation(is_void, square) & ~is_void
        np.testing.assert_array_equal(
            inside[place], plain_confusion(truth, predicted, band)
        )
        np.testing.assert_array_equal(
            outside[place], plain_confusion(truth, predicted, ~band & ~is_void)
        )
    whole = plain_confusion(truth, predicted, ~is_void)
    np.testing.assert_array_equal(
        inside + outside, np.broadcast_to(whole, inside.shape)
    )
    assert 0 < inside[0].sum() < inside[-1].sum()


@pytest.mark.parametrize('kind', ['void', 'labels'])
@pytest.mark.parametrize('metric', ['square', 'euclidean'])
@pytest.mark.parametrize('widths', [[1, 2, 3, 4], [2.5, 4.2], [0.02, 0.1]])
def test_every_option_against_distances_one_by_one(kind, metric, widths):
    """Straight distances to labels are to the nearest edge pixel, and one more."""
    truth, predicted = random_maps(7)
    of_diagonal = widths[0] < 1
    found = widths_in_pixels(widths, truth.shape, of_diagonal)
    distances = boundary_distances(truth, VOID, kind, metric)
    bands = band_confusion(truth, predicted, distances, found, NUM_CLASSES, VOID)
    expected = nearest(truth, kind, metric)
    if (kind, metric) == ('labels', 'euclidean'):
        places = np.argwhere(edges(truth))
        every = np.argwhere(np.ones(truth.shape, bool))
        expected = 1 + cdist(every, places).min(1).reshape(truth.shape)
    before = np.zeros(truth.shape, bool)
    for place, width in enumerate(found):
        inside = expected <= width
        own = inside & ~before & (truth != VOID)
        np.testing.assert_array_equal(
            bands[place], plain_confusion(truth, predicted, own)
        )
        before = inside
    rest = ~before & (truth != VOID)
    np.testing.assert_array_equal(bands[-1], plain_confusion(truth, predicted, rest))


def test_shares_of_the_diagonal_are_rounded_and_at_least_a_pixel():
    """Of 30 x 40 the diagonal is 50."""
    found = widths_in_pixels([0.001, 0.05, 0.11], (30, 40), of_diagonal=True)
    assert found.tolist() == [1, 2, 6]
    assert widths_in_pixels([1, 2.5], (30, 40), of_diagonal=False).tolist() == [1, 2.5]
    for wrong in ([], [0, 1], [2, 1], [1, 1], [0.02, 2], [1, np.nan], [1, np.inf]):
        with pytest.raises(ValueError, match='expected rising numbers .pixels, 1 or m'):
            widths_in_pixels(wrong, (30, 40), of_diagonal=False)
    for wrong in ([0.0, 0.1], [1, 2], [0.5, 1.0]):
        with pytest.raises(ValueError, match='shares of the diagonal under 1'):
            widths_in_pixels(wrong, (30, 40), of_diagonal=True)


@pytest.mark.parametrize('kind', ['void', 'labels'])
def test_without_a_boundary_everything_is_outside(kind):
    truth = np.full((6, 7), 3, np.uint8)
    distances = boundary_distances(truth, VOID, kind)
    bands = band_confusion(truth, truth, distances, np.array([1, 5]), 5, VOID)
    assert bands[:2].sum() == 0 and bands[2, 3, 3] == 42


def test_an_image_of_void_alone_counts_nowhere():
    truth = np.full((6, 7), VOID, np.uint8)
    predicted = np.zeros((6, 7), np.uint8)
    distances = boundary_distances(truth, VOID)
    assert band_confusion(truth, predicted, distances, [1], 5, VOID).sum() == 0


@pytest.mark.parametrize(
    'truth, predicted, said',
    [
        (np.full((2, 2), 7), np.zeros((2, 2), int), 'truth: expected labels 0 to 4'),
        (np.full((2, 2), -1), np.zeros((2, 2), int), 'and 255 for void, got -1'),
        (np.zeros((2, 2), int), np.full((2, 2), 5), 'prediction: .* 0 to 4, got 5'),
        (np.zeros((2, 2), int), np.full((2, 2), VOID), 'prediction: .*, got 255'),
        (np.zeros((2, 2), int), np.zeros((2, 3), int), r'\(2, 2\), got \(2, 3\)'),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), int), 'read as colours'),
        (np.zeros((2, 2)), np.zeros((2, 2), int), 'got float64 of shape'),
    ],
)
def test_label_maps_that_cannot_be_compared(truth, predicted, said):
    distances = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=said):
        band_confusion(truth, predicted, distances, [1], 5, VOID)


def test_unknown_options():
    for options in (dict(kind='edges'), dict(metric='city')):
        with pytest.raises(ValueError, match="expected a kind of .'void', 'labels'."):
            boundary_distances(np.zeros((2, 2), np.uint8), VOID, **options)


def test_counts_by_class_keep_what_scores_need():
    truth, predicted = random_maps(3)
    distances = boundary_distances(truth, VOID)
    bands = band_confusion(truth, predicted, distances, [2, 4], NUM_CLASSES, VOID)
    counts = class_counts(bands)
    assert counts.shape == (3, 3, NUM_CLASSES)
    np.testing.assert_array_equal(counts[:, 0], bands.sum(2))
    np.testing.assert_array_equal(counts[:, 1], bands.sum(1))
