"""A detector of synsets is scored on the classes that they are, or are below."""

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope

from mmdetxfer.errors import UserError
from mmdetxfer.evaluation import mapped_labels_metric
from mmdetxfer.scoring.super_categories import nearest_ancestors

IS_A = [('dog', 'poodle'), ('animal', 'dog'), ('animal', 'cat'), ('thing', 'cup')]


def test_the_nearest_ancestor_counts():
    """A poodle is a dog before it is an animal; nothing is known of a star."""
    synsets = ['poodle', 'cat', 'cup', 'dog', 'star']
    assert nearest_ancestors(synsets, ['animal', 'dog'], IS_A) == [1, 0, -1, 1, -1]


def test_of_equally_near_ones_the_first_counts_and_circles_end():
    is_a = [('a', 'x'), ('b', 'x'), ('x', 'y'), ('y', 'x')]
    assert nearest_ancestors(['y'], ['b', 'a'], is_a) == [0]
    assert nearest_ancestors(['y'], ['c'], is_a) == [-1]


@pytest.fixture
def files(tmp_path):
    synsets, is_a = tmp_path / 'synsets.txt', tmp_path / 'is_a.txt'
    synsets.write_text('cup a cup\npoodle, a dog\ncat\n'.replace(',', ''))
    is_a.write_text('\n'.join(' '.join(pair) for pair in IS_A))
    return dict(synsets=str(synsets), is_a_file=str(is_a))


def evaluator(files, classes=('animal', 'dog')):
    settings = dict(
        type='mmdetxfer.MappedLabelsMetric',
        metric=dict(type='mmdetxfer.VOCSweepMetric', iou_thresholds=[0.5]),
        collect_device='gpu',
        **files,
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        built = Evaluator([settings])
    built.dataset_meta = dict(classes=classes)
    return built


def sample(truth, found):
    """An image with the same box for all: true classes, and labels with scores."""
    box = torch.tensor([[0.0, 0, 10, 10]])
    labels, scores = zip(*found, strict=True)
    return dict(
        gt_instances=dict(bboxes=box.repeat(len(truth), 1), labels=torch.tensor(truth)),
        ignored_instances=dict(bboxes=torch.zeros(0, 4), labels=torch.zeros(0)),
        pred_instances=dict(
            bboxes=box.repeat(len(found), 1),
            scores=torch.tensor(scores),
            labels=torch.tensor(labels),
        ),
    )


def test_labels_are_turned_and_those_without_a_class_are_left_out(files):
    """A poodle (1) found as a dog: AP 1. A cat (2) as an animal behind a wrong: 1/2.

    The cup (0), surest of all, has no class; mistaken for class 0, an animal, it would
    make the animal's AP 1/3.
    """
    built = evaluator(files)
    samples = [
        sample([1], [(0, 0.99), (1, 0.9), (2, 0.8)]),
        sample([0], [(0, 0.98), (2, 0.7)]),
    ]
    built.process(samples)
    scores = built.evaluate(2)
    assert scores['mapped/voc/AP50'] == pytest.approx((1 + 0.5) / 2)
    assert built.metrics[0].metric.collect_device == 'gpu'


def test_what_has_no_class_is_said(files, monkeypatch):
    said = []
    monkeypatch.setattr(
        mapped_labels_metric, 'print_log', lambda text, _: said.append(text)
    )
    evaluator(files, ('animal', 'dog', *'abcdef'))
    assert said == [
        '2 of 3 synsets count as one of 8 classes; without a class: cup; classes '
        'without a synset: a, b, c, d, e and 1 more'
    ]


def test_classes_that_no_synset_is_below_are_refused(files):
    with pytest.raises(UserError, match='none of the 3 synsets is, or is below'):
        evaluator(files, ('plant',))


def test_a_list_of_synsets_that_is_not_there_is_named(files):
    with pytest.raises(UserError, match='none.txt: expected lines that begin with'):
        evaluator({**files, 'synsets': 'none.txt'})
