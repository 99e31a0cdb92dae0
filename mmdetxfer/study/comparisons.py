"""Compares the transfers of a target: the package's comparisons, for each task.

They read saved predictions alone, so that every number is made again in seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdetxfer.study.reading import Target

Tables = dict[str, list[dict]]
# Names of figures and pictures, without their ending.
IOU_CURVES, ERRORS, BANDS = 'map_over_iou', 'errors', 'bands'


@dataclass(frozen=True)
class Transfers:
    """Transfers to one target, to be compared.

    Args:
        target: What candidates were transferred to.
        options: For its config.
        files: Predictions of each candidate, one a seed.
        baseline: The candidate that others are compared with.
        resamples: Of the test images.
        out: Folder of figures.
    """

    target: Target
    options: Mapping[str, Any]
    files: Mapping[str, Sequence[Path]]
    baseline: str
    resamples: int
    out: Path

    def compared(self) -> Tables:
        """Return the tables of the target, and draw its figures and pictures."""
        self.out.mkdir(parents=True, exist_ok=True)
        for former in self.out.glob('*.png'):
            former.unlink()
        compare = dict(
            detection=_detection,
            segmentation=_segmentation,
            classification=_classification,
        )
        return compare[self.target.task](self)


def _detection(own: Transfers) -> Tables:
    from mmdetxfer.evaluation.case_pictures import draw_case_pictures
    from mmdetxfer.evaluation.detector_comparison import compared, read_test_set
    from mmdetxfer.plots import draw_error_differences, draw_iou_curves
    from mmdetxfer.scoring.missed import is_occluded

    target, baseline, out = own.target, own.baseline, own.out
    test_set = read_test_set(target.config, own.options)
    found = {
        name: [test_set.found(path) for path in paths]
        for name, paths in own.files.items()
    }
    occlusion, occluded = None, None
    if target.occlusion is not None and Path(target.occlusion).is_dir():
        occlusion = test_set.occlusion(target.occlusion)
        occluded = is_occluded(occlusion.occlusion, occlusion.is_truncated, 1)
    tables, errors = compared(
        test_set, found, baseline, occlusion, own.resamples, lambda _: None
    )
    draw_iou_curves(tables['scores'], out / IOU_CURVES)
    draw_error_differences(tables['error_differences'], out / ERRORS)
    draw_case_pictures(test_set, found, errors, baseline, occluded, out, num_cases=2)
    return tables


def _segmentation(own: Transfers) -> Tables:
    from mmdetxfer.evaluation.segmentor_comparison import (
        check_before,
        compared,
        counted,
        draw_case_pictures,
        read_test_set,
    )
    from mmdetxfer.plots import draw_band_curves
    from mmdetxfer.scoring.segmentation_counts import BandSettings

    target, baseline, files, out = own.target, own.baseline, own.files, own.out
    test_set = read_test_set(target.config, own.options)
    settings = BandSettings(len(test_set.classes), target.widths)
    width = named_width(target)
    check_before(test_set, settings, width, own.resamples)
    every = [folder for one in files.values() for folder in one]
    counts = iter(counted(test_set, every, settings, lambda *_: None))
    candidates = {name: [next(counts) for _ in one] for name, one in files.items()}
    tables = compared(test_set, candidates, baseline, settings, width, own.resamples)
    draw_band_curves(tables['scores'], target.widths, out / BANDS)
    void = 255
    draw_case_pictures(test_set, files, candidates, baseline, void, out, num_cases=2)
    return tables


def named_width(target: Target) -> float:
    """Return the width of the band that errors are told for.

    Args:
        target: Of segmentation.
    """
    return target.widths[min(4, len(target.widths) - 1)]


def _classification(own: Transfers) -> Tables:
    from mmdetxfer.evaluation.probe_tables import labelled_test_images
    from mmdetxfer.probing import fine_tuned_right
    from mmdetxfer.scoring.classification import accuracy_records

    ids, labels = labelled_test_images(own.target.config, own.options)
    right = {
        name: [fine_tuned_right(path, ids, labels) for path in paths]
        for name, paths in own.files.items()
    }
    rows = accuracy_records(
        right, labels, own.baseline, {}, num_resamples=own.resamples
    )
    kinds = dict(scores='score', means='mean', differences='difference', best='best')
    return {
        table: [row for row in rows if row['kind'] == kind]
        for table, kind in kinds.items()
    }
