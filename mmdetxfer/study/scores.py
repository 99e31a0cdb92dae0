"""Scores of a cell: of predictions, of the last validation, and those that choose."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdetxfer.study.records import RECORDS, read_records


def mean_score(folder: Path, names: list[str]) -> float:
    """Return the mean of the scores that choose, the worst of what diverged.

    Args:
        folder: Of a trial's cell.
        names: Of the scores.
    """
    records = read_records(folder / RECORDS)
    found = {one['score']: one['value'] for one in records if one['kind'] == 'score'}
    values = [found[name] for name in names]
    # What diverged, or has no score, is the worst.
    return float('-inf') if None in values else sum(values) / len(names)


def validation_rows(training: Path) -> list[dict]:
    """Return the last validation of a training: the pre-training's own score.

    Args:
        training: Its work_dir.
    """
    found: dict[str, float] = {}
    for path in sorted(training.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            one = json.loads(line)
            # Of a training step there is a learning rate beside.
            if 'lr' not in one and 'base_lr' not in one:
                found = {k: v for k, v in one.items() if '/' in k}
    return [
        dict(kind='validation', score=name, value=float(value))
        for name, value in found.items()
        if isinstance(value, (int, float))
    ]


def scores_of(
    task: str, config: str, options: Mapping[str, Any], predictions: Path
) -> list[dict]:
    """Return the scores of saved predictions.

    Args:
        task: 'detection', 'segmentation' or 'classification'.
        config: Whose test set is the truth.
        options: For that config.
        predictions: What the test wrote.
    """
    if task == 'detection':
        from mmdetxfer.evaluation.detector_comparison import read_test_set
        from mmdetxfer.evaluation.voc_sweep_metric import THRESHOLDS
        from mmdetxfer.scoring.comparison import score_name

        data = read_test_set(config, options)
        values = data.mean_precisions(predictions, THRESHOLDS)
        found = dict(zip(map(score_name, THRESHOLDS), values, strict=True))
    elif task == 'segmentation':
        from mmdetxfer.evaluation.segmentor_comparison import (
            mean_ious,
            read_test_set,
        )

        found = dict(
            mIoU=mean_ious(read_test_set(config, options), {0: predictions})[0]
        )
    else:
        from mmdetxfer.evaluation.probe_tables import labelled_test_images
        from mmdetxfer.probing import fine_tuned_right

        labelled = labelled_test_images(config, options)
        right = fine_tuned_right(predictions, *labelled)
        found = {'top-1': float(right.mean())}
    return [dict(kind='score', score=name, value=one) for name, one in found.items()]
