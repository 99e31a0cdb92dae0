"""Scores a detector of many synsets on a data set with fewer, coarser classes.

Li et al. 2019 score their ImageNet-Loc detector on ImageNet-DET's 200 classes: each
synset counts as the class that it is, or that it is below in the is-a hierarchy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS as MMENGINE_METRICS

from mmdetxfer.datasets.synset_files import read_is_a, read_synsets
from mmdetxfer.errors import UserError
from mmdetxfer.registry import METRICS
from mmdetxfer.scoring.super_categories import nearest_ancestors


@METRICS.register_module()
class MappedLabelsMetric(BaseMetric):
    """Another metric, with the detector's labels turned into the data set's.

    In a config::

        val_evaluator = dict(
            type='mmdetxfer.MappedLabelsMetric',
            metric=dict(type='VOCMetric', iou_thrs=0.5, eval_mode='area'),
            synsets='data/ILSVRC/LOC_synset_mapping.txt',
            is_a_file='data/ILSVRC/wordnet.is_a.txt',
        )

    Args:
        metric: The config of the metric.
        synsets: What the detector's labels mean: synsets, or a file whose lines begin
            with one. The data set's classes must be synsets too.
        is_a_file: Lines of parent and child synset.
        **kwargs: Of mmengine's ``BaseMetric``.
    """

    default_prefix = 'mapped'

    def __init__(
        self,
        metric: dict,
        synsets: str | Sequence[str],
        is_a_file: str,
        **kwargs: Any,
    ) -> None:
        """Read the files."""
        super().__init__(**kwargs)
        shared = dict(collect_device=self.collect_device)
        self.metric = MMENGINE_METRICS.build({**shared, **metric})
        self.synsets = read_synsets(synsets)
        self.is_a = read_is_a(is_a_file)

    @property
    def dataset_meta(self) -> dict | None:
        """What the data set tells of itself."""
        return self.metric.dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict) -> None:
        self.metric.dataset_meta = meta
        classes = tuple(meta['classes'])
        places = nearest_ancestors(self.synsets, classes, self.is_a)
        self.new_labels = np.array(places, dtype=np.int64)
        unmapped = [one for one, p in zip(self.synsets, places, strict=True) if p < 0]
        empty = [one for place, one in enumerate(classes) if place not in places]
        if len(empty) == len(classes):
            raise UserError(
                f'MappedLabelsMetric: none of the {len(self.synsets)} synsets is, or '
                f'is below, one of the classes {classes[:3]} ...; the is-a file must '
                'hold lines of parent and child'
            )
        print_log(
            f'{len(places) - len(unmapped)} of {len(places)} synsets count as one of '
            f'{len(classes)} classes; without a class: {_some(unmapped)}; classes '
            f'without a synset: {_some(empty)}',
            'current',
        )

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Turn labels and hand on; detections without a class are left out."""
        mapped = []
        for sample in data_samples:
            found = sample['pred_instances']
            labels = torch.as_tensor(self.new_labels)[found['labels'].cpu()]
            kept = labels >= 0
            some = {
                key: found[key][kept.to(found[key].device)]
                for key in ('bboxes', 'scores')
            }
            mapped.append(
                {**sample, 'pred_instances': {**some, 'labels': labels[kept]}}
            )
        self.metric.process(data_batch, mapped)

    def compute_metrics(self, results: list) -> dict:
        """Leave it to the metric, which holds the results."""
        return self.metric.compute_metrics(results)

    def evaluate(self, size: int) -> dict:
        """Return the other metric's scores."""
        scores = self.metric.evaluate(size)
        prefix = f'{self.prefix}/' if self.prefix else ''
        return {f'{prefix}{name}': value for name, value in scores.items()}


def _some(names: Sequence[str], most: int = 5) -> str:
    if not names:
        return 'none'
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more
