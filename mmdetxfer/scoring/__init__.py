"""Scores where candidates differ, from tables of true and predicted objects."""

from .objects import FoundObjects, TrueObjects
from .voc_ap import APTable, Matches, average_precisions, match_objects

__all__ = [
    'APTable',
    'FoundObjects',
    'Matches',
    'TrueObjects',
    'average_precisions',
    'match_objects',
]
