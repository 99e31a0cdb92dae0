"""Reads a test set and saved predictions, and has them compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS, init_default_scope

from mmdetxfer.datasets.annotation_sources import host_kinds, voc_files
from mmdetxfer.datasets.occlusion_labels import OcclusionLabels, read_occlusion
from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.comparison_tables import read_config
from mmdetxfer.evaluation.foreign_detections import load_detections
from mmdetxfer.evaluation.saved_detections import found_objects, true_objects
from mmdetxfer.evaluation.voc_sweep_metric import THRESHOLDS
from mmdetxfer.scoring import (
    FoundObjects,
    TrueObjects,
    average_precisions,
    match_objects,
)
from mmdetxfer.scoring.comparison import (
    INTERACTION,
    Group,
    class_records,
    difference_records,
    sweep_records,
)
from mmdetxfer.scoring.error_differences import (
    error_records,
    errors_of,
    image_records,
)
from mmdetxfer.scoring.hoiem import similar_classes
from mmdetxfer.scoring.missed_comparison import missed_records
from mmdetxfer.scoring.super_categories import LISTED_CLASSES, MEMBERS
from mmdetxfer.scoring.tide import Errors

# COCO's, in pixels of the root of the area.
SIZES = {
    'small': (0.0, 32.0),
    'medium': (32.0, 96.0),
    'large': (96.0, float('inf')),
}


@dataclass(frozen=True)
class DetectionTestSet:
    """The test set of a config.

    Args:
        dataset: As its host reads it.
        truth: Its objects.
        image_ids: Its images.
        classes: Its classes.
    """

    dataset: Any
    truth: TrueObjects
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]

    def found(self, path: str | Path) -> FoundObjects:
        """Read detections of it."""
        path = Path(path)
        predictions = load_detections(path, self.dataset)
        return found_objects(predictions, self.image_ids, self.classes, str(path))

    def mean_precisions(
        self, path: str | Path, thresholds: Sequence[float]
    ) -> list[float]:
        """Return the mean average precision of detections of it, by area.

        Args:
            path: The detections.
            thresholds: IoU from which on a detection is right.
        """
        found = self.found(path)
        matches = match_objects(self.truth, found)
        tables = (self.truth, found, matches, thresholds, len(self.classes))
        return [float(one) for one in average_precisions(*tables).mean()]

    def occlusion(self, folder: str) -> OcclusionLabels:
        """Read its occlusion labels."""
        if 'mmdet.XMLDataset' not in host_kinds(self.dataset):
            raise UserError(
                f'{folder}: expected a test set of VOC, which occlusion labels are of, '
                f'got {type(self.dataset).__name__}'
            )
        xml = [file for _, file in voc_files(self.dataset, self.image_ids)]
        return read_occlusion(folder, self.truth, xml, self.classes)

    def groups(self) -> list[Group]:
        """Return the groups that are scored apart, all objects first."""
        found = [Group()]
        if LISTED_CLASSES.issuperset(self.classes):
            for name, members in MEMBERS.items():
                labels = [k for k, one in enumerate(self.classes) if one in members]
                found.append(Group(name, tuple(labels)))
        found += [Group(name, size_range_px=limits) for name, limits in SIZES.items()]
        return found


def read_test_set(config: str, cfg_options: Sequence[str] = ()) -> DetectionTestSet:
    """Read the test set of a config.

    Args:
        config: A config file.
        cfg_options: ``KEY=VALUE`` for it.
    """
    cfg = read_config(config, cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    truth, ids = true_objects(dataset)
    return DetectionTestSet(dataset, truth, ids, tuple(dataset.metainfo['classes']))


def compared(
    test_set: DetectionTestSet,
    candidates: Mapping[str, Sequence[FoundObjects]],
    baseline: str,
    occlusion: OcclusionLabels | None,
    num_resamples: int,
    progress: Callable[[str], None] | None = None,
) -> tuple[dict[str, list[dict]], dict[str, list[Errors]]]:
    """Return the tables of scores, differences, missed objects and errors.

    Args:
        test_set: What the detections are of.
        candidates: Detections of each candidate, one table a seed.
        baseline: The candidate that the others are compared with.
        occlusion: Occlusion labels, or None.
        num_resamples: Resamples of the images.
        progress: Told what is being scored.

    Returns:
        Records by table, and the errors of each candidate and seed.
    """
    truth, num_classes = test_set.truth, len(test_set.classes)
    num_images = len(test_set.image_ids)
    if num_resamples < 2 or num_images < 2:
        raise UserError(
            'expected 2 resamples and 2 images at least, which intervals are made of, '
            f'got {num_resamples} and {num_images}'
        )
    sizes = (num_classes, num_images, num_resamples)
    differences = []
    for group in test_set.groups():
        thresholds = THRESHOLDS if group.name == 'all' else INTERACTION
        tables = (truth, candidates, baseline, thresholds)
        differences += difference_records(*tables, *sizes, group, progress)
    missed = []
    if occlusion is not None:
        columns = (occlusion.occlusion, occlusion.is_truncated, occlusion.labels)
        missed = missed_records(truth, candidates, baseline, *columns, *sizes)
    errors = errors_of(truth, candidates)
    similar = similar_classes(test_set.classes)
    tables = (truth, candidates, errors, baseline, similar)
    errors_found = error_records(*tables, num_images, num_resamples, progress)
    tables = (truth, candidates, errors, baseline, num_classes, test_set.image_ids)
    rows = [*differences, *missed, *errors_found, *image_records(*tables)]
    rows += class_records(truth, candidates, INTERACTION, test_set.classes)
    by_kind = {
        'group_scores': 'group_score',
        'class_scores': 'class_score',
        'means': 'mean',
        'differences': 'difference',
        'best': 'best',
        'undefined': 'undefined',
        'missed': 'missed',
        'errors': 'error',
        'error_differences': 'error_difference',
        'transitions': 'transition',
        'images': 'image',
    }
    records = {'scores': sweep_records(truth, candidates, THRESHOLDS, num_classes)}
    for table, kind in by_kind.items():
        records[table] = [row for row in rows if row['kind'] == kind]
    return records, errors
