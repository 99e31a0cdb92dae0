"""Probes of frozen features, and scores that need no training."""

from .accuracy import Accuracy, accuracy
from .choice import Choice, NotConvergedError, choose_logistic, choose_ridge
from .eigenbasis import Eigenbasis, eigenbasis
from .linear import STRENGTHS, Fit, LinearProbe, fit_logistic, probe_of
from .neighbours import neighbour_scores
from .ridge import fit_ridge
from .scored import (
    ProbeSettings,
    check_classes,
    few_shot_probe,
    present_classes,
    scored_probe,
)
from .splits import few_rows, held_out_rows, share_of_rows
from .transferability import h_score, log_evidence

__all__ = [
    'STRENGTHS',
    'Accuracy',
    'Choice',
    'Eigenbasis',
    'Fit',
    'LinearProbe',
    'NotConvergedError',
    'ProbeSettings',
    'accuracy',
    'check_classes',
    'choose_logistic',
    'choose_ridge',
    'eigenbasis',
    'few_rows',
    'few_shot_probe',
    'fit_logistic',
    'fit_ridge',
    'h_score',
    'held_out_rows',
    'log_evidence',
    'neighbour_scores',
    'present_classes',
    'probe_of',
    'scored_probe',
    'share_of_rows',
]
