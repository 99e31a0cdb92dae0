"""Reads a test set and saved predictions, and has them compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import DATASETS, init_default_scope

from mmdetxfer.datasets.annotation_sources import voc_files
from mmdetxfer.datasets.occlusion_labels import read_occlusion
from mmdetxfer.errors import UserError
from mmdetxfer.evaluation.saved_detections import found_objects, true_objects
from mmdetxfer.evaluation.voc_sweep_metric import THRESHOLDS
from mmdetxfer.predictions import load_predictions
from mmdetxfer.scoring.comparison import (
    difference_records,
    missed_records,
    sweep_records,
)


def compared(
    config: str,
    cfg_options: Sequence[str],
    files: Mapping[str, Sequence[Path]],
    baseline: str,
    occlusion: str | None,
    num_resamples: int,
) -> dict[str, list[dict]]:
    """Return the tables of scores, differences and missed objects.

    Args:
        config: Config file whose test set is the truth.
        cfg_options: ``KEY=VALUE`` for it.
        files: Saved predictions of each candidate, one file a seed.
        baseline: The candidate that the others are compared with.
        occlusion: Folder of occlusion labels, or None.
        num_resamples: Resamples of the images.
    """
    if not Path(config).is_file():
        raise UserError(f'config not found: expected a file at {config}')
    cfg = Config.fromfile(config)
    pairs = (option.partition('=') for option in cfg_options)
    cfg.merge_from_dict(
        {key: DictAction._parse_iterable(value) for key, _, value in pairs}
    )
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    classes = dataset.metainfo['classes']
    truth, ids = true_objects(dataset)
    candidates = {
        name: [
            found_objects(load_predictions(path), ids, classes, str(path))
            for path in paths
        ]
        for name, paths in files.items()
    }
    missed = []
    if occlusion is not None:
        xml = [file for _, file in voc_files(dataset, ids)]
        labels = read_occlusion(occlusion, truth, xml, classes)
        missed = missed_records(
            truth,
            candidates,
            labels.occlusion,
            labels.is_truncated,
            labels.labels,
            len(classes),
            len(ids),
        )
    compared_scores = difference_records(
        truth,
        candidates,
        baseline,
        THRESHOLDS,
        len(classes),
        len(ids),
        num_resamples,
    )
    return dict(
        scores=sweep_records(truth, candidates, THRESHOLDS, len(classes)),
        differences=[one for one in compared_scores if one['kind'] == 'difference'],
        best=[one for one in compared_scores if one['kind'] == 'best'],
        missed=missed,
    )
