"""The sweep over IoU thresholds as a metric of the hosts."""

import numpy as np
import pytest
import torch
from mmdet.evaluation import VOCMetric
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.registry import DefaultScope

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation import VOCSweepMetric

VOC = ('aeroplane', 'bird', 'chair')


def sample(truth, found, ignored=()):
    """Make an image: (label, box) of objects, (label, box, score) of detections."""

    def objects(rows, kind=torch.tensor):
        boxes = torch.tensor([row[1] for row in rows], dtype=torch.float32)
        labels = torch.tensor([row[0] for row in rows], dtype=torch.long)
        return dict(bboxes=kind(boxes.reshape(-1, 4)), labels=labels)

    scores = torch.tensor([row[2] for row in found])
    return dict(
        gt_instances=objects(truth, HorizontalBoxes),
        ignored_instances=objects(ignored, HorizontalBoxes),
        pred_instances=dict(objects(found, torch.as_tensor), scores=scores),
    )


def scores_of(samples, classes=VOC, meta=None, **options):
    metric = VOCSweepMetric(**options)
    metric.dataset_meta = dict(classes=classes, **(meta or {}))
    metric.process({}, samples)
    return metric.evaluate(len(samples))


WIDE = [0, 0, 10, 10]
# An overlap of 0.7 with WIDE.
CUT = [0, 0, 10, 7]


def test_scores_by_hand():
    """Class 0: found at 0.7. Class 1: 0.5 of two objects at all thresholds.

    At 0.5 (1 + 0.5) / 2, at 0.75 (0 + 0.5) / 2; eleven points give 6/11 for recall 0.5.
    Class 2 has an ignored object alone: it is undefined.
    """
    found = scores_of(
        [
            sample([(0, WIDE)], [(0, CUT, 0.9)], ignored=[(2, WIDE)]),
            sample([(1, WIDE)], [(1, WIDE, 0.8)]),
            sample([(1, WIDE)], []),
        ],
        iou_thresholds=[0.5, 0.7, 0.75],
    )
    assert found['voc/AP50'] == found['voc/AP70'] == pytest.approx(0.75)
    assert found['voc/AP75'] == pytest.approx(0.25)
    assert found['voc/AP75_11points'] == pytest.approx(6 / 22)
    assert found['voc/num_classes'] == 2
    assert found['voc/AP75_vehicle'] == 0 and found['voc/AP75_animal'] == 0.5
    assert not any('class_' in key for key in found)


def test_all_thresholds_have_names_of_whole_per_cents():
    found = scores_of([sample([(0, WIDE)], [(0, WIDE, 0.9)])])
    areas = [key for key in found if key[6:].isdigit()]
    assert areas == [f'voc/AP{k}' for k in range(10, 100, 5)]


def test_pixels_are_inclusive_for_voc_or_by_switch():
    """7.6 of 11 rows: 8.6/11 = 0.782 inclusive, 0.76 else."""
    samples = [sample([(0, WIDE)], [(0, [0, 0, 10, 7.6], 0.9)])]
    options = dict(iou_thresholds=[0.77])
    assert scores_of(samples, **options)['voc/AP77'] == 0
    # mmdet's key is None where the path names no year.
    for kind in ('VOC2007', None):
        found = scores_of(samples, meta=dict(dataset_type=kind), **options)
        assert found['voc/AP77'] == 1
    assert scores_of(samples, is_inclusive=True, **options)['voc/AP77'] == 1
    never = dict(meta=dict(dataset_type='VOC2007'), is_inclusive=False, **options)
    assert scores_of(samples, **never)['voc/AP77'] == 0


def test_steps_that_floats_make_are_whole_per_cents():
    """An overlap of exactly 0.6 reaches what np.arange calls 0.6000000000000001."""
    samples = [sample([(0, WIDE)], [(0, [0, 0, 10, 6], 0.9)])]
    found = scores_of(samples, iou_thresholds=np.arange(0.5, 0.8, 0.05))
    assert found['voc/AP60'] == 1 and found['voc/AP65'] == 0


def test_the_best_checkpoint_is_that_of_the_first_score(tmp_path):
    """Of 0.5 and 0.75 one is reached: 0.5, which mmengine takes for the better."""
    found = scores_of(
        [sample([(0, WIDE)], [(0, CUT, 0.9)])], iou_thresholds=[0.5, 0.75]
    )
    name = next(iter(found))
    assert name == 'voc/mAP' and found[name] == 0.5
    hook = CheckpointHook(save_best=name, out_dir=str(tmp_path))
    assert hook.rules == ['greater']


def test_sizes_and_classes_have_scores_of_their_own():
    wide = [0, 0, 90, 90]
    found = scores_of(
        [sample([(0, WIDE), (0, wide)], [(0, wide, 0.9), (1, WIDE, 0.9)])],
        iou_thresholds=[0.5],
        size_ranges_px=dict(small=(0, 24), large=(24, float('inf'))),
        classwise=True,
    )
    assert found['voc/AP50_small'] == 0 and found['voc/AP50_large'] == 1
    assert found['voc/AP50_class_aeroplane'] == 0.5
    assert np.isnan(found['voc/AP50_class_bird'])


def test_super_categories_are_those_of_known_classes_alone():
    found = scores_of([sample([(0, WIDE)], [])], classes=('aeroplane', 'kite', 'x'))
    assert not any('vehicle' in key for key in found)


@pytest.mark.parametrize('kind', [torch.float16, torch.bfloat16])
def test_boxes_of_half_precision_score_alike(kind):
    """A wrong detection of 400 x 400, too many for half precision, then a hit."""
    one = sample([(0, WIDE)], [(0, [100, 100, 500, 500], 0.9), (0, WIDE, 0.8)])
    one['pred_instances']['bboxes'] = one['pred_instances']['bboxes'].to(kind)
    assert scores_of([one], iou_thresholds=[0.5])['voc/AP50'] == 0.5


@pytest.mark.parametrize('bad', [[], [0.5, 0.5], [0.505], [0.0, 0.5], [0.501, 0.504]])
def test_thresholds_without_names_are_refused(bad):
    with pytest.raises(UserError, match='different thresholds in whole per cents'):
        VOCSweepMetric(iou_thresholds=bad)


def random_samples(seed=0):
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(30):
        starts = rng.uniform(0, 80, (6, 2))
        boxes = np.concatenate([starts, starts + rng.uniform(10, 60, (6, 2))], axis=1)
        rows = [(int(rng.integers(3)), box.tolist()) for box in boxes]
        found = [
            (label, (np.array(box) + rng.normal(0, 4, 4)).tolist(), float(rng.random()))
            for label, box in rows
            for _ in range(int(rng.integers(0, 3)))
        ]
        samples.append(sample(rows[:4], found, ignored=rows[4:]))
    return samples


def test_the_score_is_that_of_mmdet_where_both_are_right():
    """mmdet's: one matching a threshold, three decimals, VOC's pixels always."""
    theirs = VOCMetric(iou_thrs=[0.5, 0.7], eval_mode='area')
    theirs.dataset_meta = dict(classes=VOC, dataset_type='VOC2012')
    samples = random_samples()
    theirs.process({}, samples)
    expected = theirs.evaluate(len(samples))
    found = scores_of(
        samples, meta=dict(dataset_type='VOC2012'), iou_thresholds=[0.5, 0.7]
    )
    for name in ('AP50', 'AP70'):
        other = expected[f'pascal_voc/{name}']
        assert found[f'voc/{name}'] == pytest.approx(other, abs=6e-4)
        assert 0.1 < other < 0.95


def test_it_is_built_by_its_name_in_a_hosts_scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        evaluator = Evaluator([dict(type='mmdetxfer.VOCSweepMetric')])
    assert isinstance(evaluator.metrics[0], VOCSweepMetric)
