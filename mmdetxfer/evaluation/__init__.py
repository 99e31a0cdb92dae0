"""Metrics and writers of predictions, for the hosts' evaluators."""

from mmdetxfer.evaluation.prediction_writer import PredictionWriter, prediction_writer

__all__ = ['PredictionWriter', 'prediction_writer']
