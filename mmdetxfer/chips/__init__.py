"""Chips: which windows of an image, at which scales, a detector is trained on (SNIPER).

``plan_epoch`` plans the chips of an epoch for a table of boxes; the steps it is made of
(candidates, cover, assignment) are here one by one too.
"""

from .assign import assign, driving_boxes, eligible_boxes
from .counter_hash import image_keys
from .cover import candidate_chips, cover
from .epoch import epoch_stride, plan_epoch
from .plan import ChipPlan
from .tables import IGNORED, PROPOSAL, TRUTH, BoxTable, Chip, ChipTable

__all__ = [
    'IGNORED',
    'PROPOSAL',
    'TRUTH',
    'BoxTable',
    'Chip',
    'ChipPlan',
    'ChipTable',
    'assign',
    'candidate_chips',
    'cover',
    'driving_boxes',
    'eligible_boxes',
    'epoch_stride',
    'image_keys',
    'plan_epoch',
]
