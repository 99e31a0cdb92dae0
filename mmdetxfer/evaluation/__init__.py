"""Metrics, and writers and readers of predictions."""

from mmdetxfer.evaluation.mapped_labels_metric import MappedLabelsMetric
from mmdetxfer.evaluation.prediction_writer import PredictionWriter, prediction_writer
from mmdetxfer.evaluation.saved_detections import found_objects, true_objects

__all__ = [
    'MappedLabelsMetric',
    'PredictionWriter',
    'found_objects',
    'prediction_writer',
    'true_objects',
]
