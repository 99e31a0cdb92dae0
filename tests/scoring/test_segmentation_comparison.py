"""Counts of images, and what of two segmentors differs, by hand and by laws."""

import numpy as np
import pytest

from mmdetxfer.scoring.confusion import segmentation_scores
from mmdetxfer.scoring.resampled_ap import image_weights
from mmdetxfer.scoring.segmentation_comparison import (
    SegmentationCounts,
    comparison_records,
    rim_records,
    scores_of,
)
from mmdetxfer.scoring.segmentation_counts import (
    BandSettings,
    image_counts,
    object_sizes,
)

VOID = 255
WIDTHS = (1, 3)
SETTINGS = BandSettings(2, WIDTHS, kind='labels')


def maps(seed, share_inside, share_outside):
    """A square of class 1 in class 0; errors near its border and elsewhere."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((32, 32), np.uint8)
    truth[10:22, 8 + seed % 3 : 20] = 1
    near = np.zeros_like(truth, bool)
    near[9:23, 7:21] = True
    near[13:19, 12:17] = False
    share = np.where(near, share_inside, share_outside)
    predicted = np.where(rng.random(truth.shape) < share, 1 - truth, truth)
    return truth, predicted.astype(np.uint8)


def counted(*shares, seeds=range(12)):
    found = [image_counts(*maps(seed, *shares), SETTINGS) for seed in seeds]
    columns = ('bands', 'rims', 'sizes')
    return SegmentationCounts(
        *(np.stack([getattr(one, name) for one in found]) for name in columns)
    )


def test_counts_of_an_image_are_small_and_complete():
    truth, predicted = maps(0, 0.3, 0.1)
    truth[0] = VOID
    counts = image_counts(truth, predicted, BandSettings(21))
    assert counts.bands.shape == (41, 3, 21) and counts.bands.dtype == np.uint32
    assert counts.bands.nbytes + counts.rims.nbytes < 12_000
    valid = truth != VOID
    for label in (0, 1):
        own = [truth == label, predicted == label]
        expected = [(one & valid).sum() for one in own]
        expected.append((own[0] & own[1] & valid).sum())
        assert counts.bands.sum(0)[:, label].tolist() == expected
    assert counts.sizes.shape == (0, 3, 21)


def test_objects_by_their_size():
    """A square of 4 x 4 and a bar of 2 x 18; the map's void belongs to none.

    Sides are 4 and 6. Of the small one 3 of 16 pixels are wrong.
    """
    objects = np.zeros((20, 20), np.uint8)
    objects[1:5, 1:5], objects[10:12, 1:19], objects[15] = 1, 2, VOID
    truth = (objects % VOID > 0).astype(np.uint8)
    predicted = truth.copy()
    predicted[1, 1:4] = 0
    ranges = dict(small=(0, 5), large=(6, 99))
    settings = BandSettings(2, WIDTHS, size_ranges_px=ranges)
    counts = image_counts(truth, predicted, settings, objects)
    assert counts.sizes[:, :, 1].tolist() == [[16, 13, 13], [36, 36, 36]]
    assert counts.sizes[:, :, 0].tolist() == [[0, 3, 0], [0, 0, 0]]
    sizes = object_sizes(objects, truth.shape, settings)
    assert (sizes[15] == -1).all() and (sizes[10:12, 1:19] == 1).all()
    with pytest.raises(ValueError, match='map of objects of the size of the truth'):
        image_counts(truth, predicted, settings, objects[:-1])
    stacked = SegmentationCounts(
        *(getattr(counts, n)[None] for n in ('bands', 'rims', 'sizes'))
    )
    scores = scores_of(stacked, WIDTHS, 3, list(ranges))
    assert scores['class accuracy small'] == 13 / 16
    assert scores['class accuracy large'] == 1


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="got 'edges' and 'square'"):
        BandSettings(2, kind='edges')
    with pytest.raises(ValueError, match='expected rising numbers'):
        BandSettings(2, widths=(2, 1))
    with pytest.raises(ValueError, match='expected a label of 8 bits, got 300'):
        BandSettings(2, ignore_index=300)
    for wrong in ({'': (0, 5)}, {'a': (5, 1)}, {'a': (0, 9), 'b': (5, 20)}, {'a': 5}):
        with pytest.raises(ValueError, match='rising ranges .lowest, highest. that do'):
            BandSettings(2, size_ranges_px=wrong)
    with pytest.raises(ValueError, match='named width: expected one of .1, 3., got 2'):
        scores_of(counted(0.1, 0.1), WIDTHS, 2)


def test_inside_and_outside_are_scored_apart():
    """Wrong are near pixels alone: outside of width 3 nothing."""
    scores = scores_of(counted(0.4, 0.0), WIDTHS, 3)
    assert scores['pixel accuracy inside 1'] < 0.8
    assert scores['mIoU outside 3'] > 0.97 > scores['mIoU'] > scores['mIoU inside 3']
    assert scores['num_classes'] == 2
    np.testing.assert_allclose(
        scores['ln error inside'], np.log(1 - scores['mIoU inside 3'])
    )


def test_weights_are_repeated_images():
    counts = counted(0.3, 0.1, seeds=range(3))
    weights = np.array([[2, 0, 1], [1, 1, 1]])
    drawn = scores_of(counts, WIDTHS, 3, (), weights)
    chosen = SegmentationCounts(
        *(getattr(counts, n)[[0, 0, 2]] for n in ('bands', 'rims', 'sizes'))
    )
    repeated, plain = scores_of(chosen, WIDTHS, 3), scores_of(counts, WIDTHS, 3)
    for name, value in repeated.items():
        np.testing.assert_allclose(drawn[name][0], value)
        np.testing.assert_allclose(drawn[name][1], plain[name])
    assert abs(drawn['mIoU'][0] - drawn['mIoU'][1]) > 1e-4


def test_error_reductions_tell_borders_from_whole_objects():
    """One halves the errors at the border alone, the other elsewhere alone."""
    # The same images with other errors.
    seeds = [range(12 * k, 12 * k + 12) for k in range(4)]
    candidates = {
        name: [counted(*shares, seeds=own) for own in seeds]
        for name, shares in {
            'base': (0.4, 0.2),
            'borders': (0.2, 0.2),
            'rest': (0.4, 0.1),
        }.items()
    }
    records = comparison_records(candidates, 'base', WIDTHS, 3, ('no', 'yes'), (), 100)
    reductions = {
        (r['candidate'], r['score']): r
        for r in records
        if r['kind'] == 'error_reduction'
    }
    inside = {n: reductions[n, 'ln error inside'] for n in ('borders', 'rest')}
    outside = {n: reductions[n, 'ln error outside'] for n in ('borders', 'rest')}
    assert inside['borders']['low'] > 0.1 and outside['rest']['low'] > 0.1
    assert abs(outside['borders']['reduction']) < 0.15
    sides = 'ln error inside - outside'
    assert reductions['borders', sides]['low'] > 0 > reductions['rest', sides]['high']
    scores = {
        (r['candidate'], r['seed'], r['score']): r['value']
        for r in records
        if r['kind'] == 'score'
    }
    for name in ('base', 'borders'):
        plain = [scores_of(one, WIDTHS, 3)['mIoU'] for one in candidates[name]]
        assert [scores[name, k, 'mIoU'] for k in range(4)] == plain
    errors = {
        name: np.log([1 - scores[name, k, 'mIoU inside 3'] for k in range(4)]).mean()
        for name in ('base', 'borders')
    }
    expected = 1 - np.exp(errors['borders'] - errors['base'])
    assert inside['borders']['reduction'] == pytest.approx(expected)
    named = {r['score'] for r in records if r['kind'] == 'difference'}
    assert {'IoU of yes', 'boundary mIoU', 'mIoU inside 1'} <= named
    (best,) = (r for r in records if r['kind'] == 'best' and r['score'] == 'mIoU')
    assert 'base' not in best['candidates']


def by_hand(inside, outside):
    """Counts of an image: (true, predicted, both) of each class, in and out of width 1.

    No rims and no sizes.
    """
    parts = np.array([inside, np.zeros_like(inside), outside], dtype=np.int64)
    bands = np.moveaxis(parts, 1, 2)[None]
    return SegmentationCounts(
        bands, np.zeros_like(bands[:, 0]), np.zeros((1, 0, *bands.shape[2:]), np.int64)
    )


def test_errors_on_either_side_are_of_the_classes_that_both_have():
    """Class 1 lies in the band alone; class 0 has 6/10 inside and 9/10 outside."""
    counts = by_hand([(8, 8, 6), (4, 4, 1)], [(10, 9, 9), (0, 0, 0)])
    scores = scores_of(counts, (1, 2), 1)
    assert scores['mIoU inside 1'] == pytest.approx((0.6 + 1 / 7) / 2)
    assert scores['mIoU outside 1'] == 0.9
    assert scores['num_classes inside 1'] == 2
    assert scores['num_classes outside 1'] == scores['num_classes ln error'] == 1
    assert scores['ln error inside'] == pytest.approx(np.log(0.4))
    assert scores['ln error outside'] == pytest.approx(np.log(0.1))


def test_differences_say_of_how_many_classes_and_images_they_are():
    """Class 1 is in one image of two: a resample that lacks it has one class."""
    first = by_hand([(8, 8, 6), (4, 4, 1)], [(10, 9, 9), (3, 3, 2)])
    second = by_hand([(8, 8, 5), (0, 0, 0)], [(10, 9, 8), (0, 0, 0)])
    both = [
        SegmentationCounts(
            *(
                np.concatenate([getattr(a, n), getattr(b, n)])
                for n in ('bands', 'rims', 'sizes')
            )
        )
        for a, b in ((first, second), (second, first))
    ]
    candidates = {'a': both[:1], 'b': both[:1]}
    records = comparison_records(candidates, 'a', (1, 2), 1, ('x', 'y'), (), 50)
    rows = {r['score']: r for r in records if r['kind'] not in ('score', 'mean')}
    weights = image_weights(2, 50, seed=0)
    short = int((weights[:, 0] == 0).sum())
    assert rows['mIoU']['num_classes'] == 2 and rows['mIoU']['num_images'] == 2
    assert rows['mIoU']['resamples_without_a_class'] == short > 0
    assert rows['mIoU inside 1']['resamples_without_a_class'] == short
    assert 'num_classes' not in rows['IoU of x']
    # In a single image, of which there is no interval.
    assert rows['IoU of y']['kind'] == 'undefined'
    assert rows['IoU of y']['num_images'] == 1
    ids = [str(k) for k in range(12)]
    rims = rim_records({'a': [counted(0.4, 0.0)]}, ('x', 'y'), ids)
    plain = segmentation_scores(counted(0.4, 0.0).rims).iou
    found = {(r['image'], r['name']): r['boundary_iou'] for r in rims}
    assert found['3', 'y'] == plain[3, 1]


def test_candidates_of_one_seed_are_not_among_the_best():
    several = [counted(0.1, 0.1), counted(0.1, 0.2)]
    candidates = {'a': several, 'b': several, 'c': several[:1]}
    records = comparison_records(candidates, 'a', WIDTHS, 3, ('x', 'y'), (), 20)
    (best,) = (r for r in records if (r['kind'], r['score']) == ('best', 'mIoU'))
    assert set(best['candidates']) == {'a', 'b'} and best['not_compared'] == ['c']


def test_a_class_that_the_truth_lacks_is_left_out_and_counted():
    counts = counted(0.2, 0.1)
    three = SegmentationCounts(
        *(
            np.pad(
                getattr(counts, n), [(0, 0)] * (getattr(counts, n).ndim - 1) + [(0, 1)]
            )
            for n in ('bands', 'rims', 'sizes')
        )
    )
    scores = scores_of(three, WIDTHS, 3)
    assert scores['num_classes'] == 2 and np.isnan(scores['class IoU'][2])
    assert scores['mIoU'] == scores_of(counts, WIDTHS, 3)['mIoU']
    candidates = {'a': [three], 'b': [three]}
    records = comparison_records(candidates, 'a', WIDTHS, 3, ('x', 'y', 'z'), (), 20)
    named = {r['score'] for r in records if r['kind'] == 'difference'}
    assert 'IoU of y' in named and 'IoU of z' not in named
