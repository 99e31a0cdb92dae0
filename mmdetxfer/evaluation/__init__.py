"""Metrics, and writers and readers of predictions."""

from mmdetxfer.evaluation.mapped_labels_metric import MappedLabelsMetric
from mmdetxfer.evaluation.prediction_writer import PredictionWriter, prediction_writer
from mmdetxfer.evaluation.saved_detections import found_objects, true_objects
from mmdetxfer.evaluation.trimap_metric import TrimapMetric
from mmdetxfer.evaluation.voc_sweep_metric import VOCSweepMetric

__all__ = [
    'MappedLabelsMetric',
    'PredictionWriter',
    'TrimapMetric',
    'VOCSweepMetric',
    'found_objects',
    'prediction_writer',
    'true_objects',
]
