"""The planner for one image in plain NumPy: slow, short, and what the fast one equals.

Steps for each scale: boxes that drive chips are scaled and clipped, a greedy cover
chooses chips among the candidates, and every eligible box is assigned to one of them.
Boxes that stay without a chip may then get negative ones, see ``negatives``.
"""

from dataclasses import dataclass

import numpy as np

from mmdetxfer.chips.assign import assign, driving_boxes, eligible_boxes
from mmdetxfer.chips.boxes import clip_boxes, flip_boxes
from mmdetxfer.chips.counter_hash import draws, hash_counters
from mmdetxfer.chips.cover import candidate_chips, cover
from mmdetxfer.chips.negatives import draw_negatives, is_worth_keeping
from mmdetxfer.chips.plan import ChipPlan
from mmdetxfer.chips.tables import IGNORED, TRUTH

# Each use of random numbers has a stream of its own.
CANDIDATES, NEGATIVE_CANDIDATES, NEGATIVE_DRAW = 0, 1, 2


@dataclass(frozen=True)
class PlannedChip:
    """A chip of one image: scale, inclusive corners (scaled px), its valid boxes."""

    scale_index: int
    corners: tuple[int, int, int, int]
    is_negative: bool
    valid_boxes: tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """An image or its mirrored copy, as it is planned.

    Args:
        boxes: (N, 4) float64 in original pixels, not mirrored yet.
        kinds: (N,) TRUTH, PROPOSAL or IGNORED.
        width: Of the image.
        height: Of the image.
        factors: (S,) one a scale.
        key: The hash of (seed, epoch, image, mirrored) that all its draws come from.
        is_mirrored: Whether the mirrored copy is planned.
    """

    boxes: np.ndarray
    kinds: np.ndarray
    width: int
    height: int
    factors: np.ndarray
    key: int
    is_mirrored: bool


def plan_image(entry: Entry, plan: ChipPlan, stride: int) -> list[PlannedChip]:
    """Return the chips of one image: of all scales, then the negative ones."""
    boxes = flip_boxes(entry.boxes, entry.width) if entry.is_mirrored else entry.boxes
    positives: list[PlannedChip] = []
    negatives: list[PlannedChip] = []
    for scale_index, factor in enumerate(entry.factors):
        where = (plan, scale_index, factor, stride)
        is_driving = driving_boxes(boxes, *where) & (entry.kinds == TRUTH)
        is_eligible = eligible_boxes(boxes, *where) & (entry.kinds != IGNORED)
        eligible = np.flatnonzero(is_eligible)
        chips = _cut(entry, boxes[is_driving], CANDIDATES, *where)
        assigned = assign(chips / factor, boxes[eligible], plan, scale_index)
        positives += _planned(chips, assigned, eligible, entry, scale_index, False)
        if plan.num_negatives:
            left = eligible[assigned < 0]
            chips = _cut(entry, boxes[left], NEGATIVE_CANDIDATES, *where)
            assigned = assign(chips / factor, boxes[left], plan, scale_index, True)
            counts = np.bincount(assigned[assigned >= 0], minlength=len(chips))
            kept = is_worth_keeping(counts, scale_index)
            made = _planned(chips, assigned, left, entry, scale_index, True)
            negatives += [chip for chip, keep in zip(made, kept, strict=True) if keep]
    key = hash_counters(entry.key, NEGATIVE_DRAW)[0]
    drawn = draw_negatives(len(negatives), plan.num_negatives, key)
    return positives + [negatives[index] for index in drawn]


def _cut(
    entry: Entry,
    boxes: np.ndarray,
    stream: int,
    plan: ChipPlan,
    scale_index: int,
    factor: float,
    stride: int,
) -> np.ndarray:
    """Return the chips that cover boxes at one scale, in the order of choice."""
    width = max(int(entry.width * factor), 1)
    height = max(int(entry.height * factor), 1)
    short = int(plan.as_original)
    scaled = clip_boxes(boxes * factor, width - 1 - short, height - 1 - short)
    candidates = candidate_chips(width, height, plan.chip_px, stride, plan.as_original)
    key = hash_counters(entry.key, stream, scale_index)[0]
    order = np.argsort(draws(key, len(candidates)), kind='stable')
    return candidates[cover(candidates, scaled, order)]


def _planned(
    chips: np.ndarray,
    assigned: np.ndarray,
    numbers: np.ndarray,
    entry: Entry,
    scale_index: int,
    is_negative: bool,
) -> list[PlannedChip]:
    """Return chips with the true boxes that are valid in each."""
    is_truth = entry.kinds[numbers] == TRUTH
    return [
        PlannedChip(
            scale_index,
            tuple(corners.tolist()),
            is_negative,
            tuple(numbers[(assigned == number) & is_truth].tolist()),
        )
        for number, corners in enumerate(chips)
    ]
