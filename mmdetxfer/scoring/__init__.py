"""Scores where candidates differ, from tables of true and predicted objects."""

from .bootstrap import Interval, difference_interval
from .missed import is_occluded, missed_objects, missed_shares
from .objects import FoundObjects, TrueObjects
from .resampled_ap import image_weights, resampled_mean_precisions
from .voc_ap import APTable, Matches, average_precisions, match_objects

__all__ = [
    'APTable',
    'FoundObjects',
    'Interval',
    'Matches',
    'TrueObjects',
    'average_precisions',
    'difference_interval',
    'image_weights',
    'is_occluded',
    'match_objects',
    'missed_objects',
    'missed_shares',
    'resampled_mean_precisions',
]
