"""TrimapMetric by itself: beside mmseg's IoUMetric, and what it refuses."""

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation import TrimapMetric, trimap_metric

CLASSES = ('a', 'b', 'c')


def sample(truth, predicted, **more):
    maps = dict(gt_sem_seg=truth, pred_sem_seg=predicted)
    return {
        **{name: dict(data=torch.as_tensor(one)[None]) for name, one in maps.items()},
        **more,
    }


def random_maps(seed, num_classes=3):
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, num_classes, (3, 4)), np.ones((8, 8), int))
    truth[rng.random(truth.shape) < 0.1] = 255
    predicted = np.where(rng.random(truth.shape) < 0.3, 1, truth % 255)
    return truth, predicted


def scores(samples, **options):
    metric = TrimapMetric(**options)
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def mmsegs(samples):
    metric = IoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_miou_is_mmsegs_to_its_two_decimals():
    samples = [sample(*random_maps(seed)) for seed in range(3)]
    mine, theirs = scores(samples, widths=(1, 2)), mmsegs(samples)
    for name in ('mIoU', 'aAcc', 'mAcc'):
        assert 100 * mine[f'trimap/{name}'] == pytest.approx(theirs[name], abs=0.0051)
    assert mine['trimap/num_classes'] == 3


def test_a_class_that_is_only_predicted_has_no_score_here_and_0_there():
    """Truth of class 0 alone, a quarter said to be 1: 0.75, and the mean with 0."""
    predicted = np.zeros((8, 8), int)
    predicted[:2] = 1
    samples = [sample(np.zeros((8, 8), int), predicted)]
    assert scores(samples)['trimap/mIoU'] == 0.75
    assert mmsegs(samples)['mIoU'] == 37.5


def test_each_option_changes_a_score():
    samples = [sample(*random_maps(seed)) for seed in range(3)]
    plain = scores(samples, widths=(2,))
    assert scores(samples, widths=(2,), kind='labels') != plain
    assert scores(samples, widths=(2,), metric='euclidean') != plain
    shares = scores(samples, widths=(0.1,), of_diagonal=True)
    assert shares['trimap/mIoU_inside_0.1'] != plain['trimap/mIoU_inside_2']
    truth, predicted = random_maps(0)
    other = np.where(truth == 255, 254, truth)
    one = scores([sample(truth, predicted)], widths=(2,))
    assert scores([sample(other, predicted)], widths=(2,), ignore_index=254) == one
    objects = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((8, 8), int))
    sized = [sample(truth, predicted, object_map=objects.astype(np.uint8))]
    found = scores(sized, widths=(2,), size_ranges_px=dict(any=(0, 99)))
    assert found['trimap/mAcc_any'] == pytest.approx(one['trimap/mAcc'])


def test_classes_have_scores_of_their_own_if_asked_for():
    """Of class 0 a quarter is said to be 1: accuracy and IoU 0.75."""
    predicted = np.zeros((8, 8), int)
    predicted[:2] = 1
    samples = [sample(np.zeros((8, 8), int), predicted)]
    found = scores(samples, classwise=True)
    assert found['trimap/Acc_class_a'] == found['trimap/IoU_class_a'] == 0.75
    assert np.isnan(found['trimap/IoU_class_b'])
    assert 'trimap/boundary_IoU_class_a' in found
    assert not any('class_a' in key for key in scores(samples))


def test_no_image_at_all_is_refused():
    metric = TrimapMetric()
    with pytest.raises(UserError, match='expected images, none was tested'):
        metric.compute_metrics([])


def test_without_void_pixels_there_is_a_warning_and_no_score_inside(monkeypatch):
    said = []
    monkeypatch.setattr(trimap_metric, 'print_log', lambda text, *_: said.append(text))
    truth = np.kron(np.eye(2, dtype=int), np.ones((8, 8), int))
    found = scores([sample(truth, truth)], widths=(2,))
    assert np.isnan(found['trimap/mIoU_inside_2']) and found['trimap/mIoU'] == 1
    assert any("for data without void pixels there is kind='labels'" in t for t in said)
    assert scores([sample(truth, truth)], kind='labels')['trimap/mIoU_inside_2'] == 1


@pytest.mark.parametrize(
    'change, said',
    [
        (dict(pred_sem_seg=dict(data=torch.full((1, 8, 8), 0.5))), 'got float32'),
        (dict(pred_sem_seg=dict(data=torch.full((1, 8, 8), 3))), '0 to 2, got 3'),
        (dict(gt_sem_seg=dict(data=torch.zeros(3, 8, 8).long())), 'read as colours'),
        (
            dict(pred_sem_seg=dict(data=torch.zeros(1, 8, 9).long())),
            'size of the truth',
        ),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(change, said):
    one = sample(np.zeros((8, 8), int), np.zeros((8, 8), int), img_path='im.jpg')
    with pytest.raises(UserError, match='TrimapMetric: im.jpg: ') as raised:
        scores([{**one, **change}])
    assert said in str(raised.value)


def test_whole_numbers_as_floats_are_labels():
    truth, predicted = random_maps(1)
    one = scores([sample(truth, predicted)], widths=(1,))
    floats = sample(truth, predicted.astype(np.float32))
    assert scores([floats], widths=(1,)) == one


def test_what_is_missing_is_named():
    with pytest.raises(UserError, match='an image: expected labels; put dict.type='):
        scores([dict(pred_sem_seg=dict(data=torch.zeros(1, 8, 8).long()))])
    with pytest.raises(
        UserError, match='TrimapMetric: widths: expected rising numbers'
    ):
        TrimapMetric(widths=(2, 1))
    with pytest.raises(UserError, match='shares of the diagonal under 1'):
        TrimapMetric(of_diagonal=True)
