"""Reads, checks and writes weights; knows their input conventions.

Importing this package imports no host; ``loading_schemes`` does, and is imported by the
engine.
"""

from mmdetxfer.checkpoints.conventions import (
    NAMED_CONVENTIONS,
    InputConvention,
    parse_convention,
)
from mmdetxfer.checkpoints.plain_data import from_plain, to_plain
from mmdetxfer.checkpoints.reading import read_checkpoint, trust_checkpoints
from mmdetxfer.checkpoints.resumable import Resumable, find_resumable, resumable_at
from mmdetxfer.checkpoints.settle_convention import settle_convention
from mmdetxfer.checkpoints.writing import write_atomically

__all__ = [
    'NAMED_CONVENTIONS',
    'InputConvention',
    'Resumable',
    'find_resumable',
    'from_plain',
    'parse_convention',
    'read_checkpoint',
    'resumable_at',
    'settle_convention',
    'to_plain',
    'trust_checkpoints',
    'write_atomically',
]
