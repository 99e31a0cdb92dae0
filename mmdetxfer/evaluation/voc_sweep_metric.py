"""VOC's mAP over many IoU thresholds, both rules, in one pass over the test set.

Pre-trainings differ at high IoU (Li et al. 2019, Figure 1), so one threshold does not
tell. Keys are whole per cents: AP50, AP50_11points, AP70_vehicle, AP50_small.
The first, mAP, is the mean over the thresholds: what ``save_best='auto'`` takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdetxfer.errors import UserError
from mmdetxfer.registry import METRICS
from mmdetxfer.scoring import (
    APTable,
    FoundObjects,
    TrueObjects,
    average_precisions,
    match_objects,
)
from mmdetxfer.scoring.super_categories import LISTED_CLASSES, MEMBERS

# 0.1, 0.15 ... 0.95.
THRESHOLDS = tuple(percent / 100 for percent in range(10, 100, 5))


@METRICS.register_module()
class VOCSweepMetric(BaseMetric):
    """Mean AP at all thresholds by the area rule and by eleven points.

    In a config, for any data set of mmdet whose test pipeline reads annotations behind
    the resizing (as the hosts' do): ``val_evaluator = dict(
    type='mmdetxfer.VOCSweepMetric')``. Means are over classes with objects; how many
    those are is a score too. Vehicles and animals have means of their own where the
    classes are VOC's or COCO's.

    Args:
        iou_thresholds: In whole per cents; an overlap at the threshold reaches it.
        size_ranges_px: Name and (lowest, highest) root of the area, the highest not
            in it, for scores of sizes.
        is_inclusive: Whether the last pixel belongs to a box, which the log says. None:
            as mmdet reads them, it does for ``VOCDataset``; other sets of XML files
            need ``True``.
        classwise: Whether each class's scores are among the scores too.
        **kwargs: Of mmengine's ``BaseMetric``.
    """

    default_prefix = 'voc'

    def __init__(
        self,
        iou_thresholds: Sequence[float] = THRESHOLDS,
        size_ranges_px: Mapping[str, tuple[float, float]] | None = None,
        is_inclusive: bool | None = None,
        classwise: bool = False,
        **kwargs: Any,
    ) -> None:
        """Check the thresholds, whose names must not meet."""
        super().__init__(**kwargs)
        names = [round(100 * threshold) for threshold in iou_thresholds]
        whole = np.allclose(np.array(names) / 100, tuple(iou_thresholds), atol=1e-9)
        # 0.6, and not the 0.6000000000000001 that steps of 0.05 lead to.
        self.iou_thresholds = tuple(name / 100 for name in names)
        if not names or len(set(names)) < len(names) or not whole or min(names) < 1:
            raise UserError(
                'VOCSweepMetric: expected different thresholds in whole per cents, '
                f'got {list(iou_thresholds)}'
            )
        self.size_ranges_px = dict(size_ranges_px or {})
        self.is_inclusive, self.classwise = is_inclusive, classwise

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the boxes of each image."""
        for sample in data_samples:
            found = sample['pred_instances']
            row = dict(
                found_boxes=_array(found['bboxes']).reshape(-1, 4),
                found_labels=_array(found['labels']),
                scores=_array(found['scores']),
            )
            for name in ('gt_instances', 'ignored_instances'):
                objects = sample.get(name) or {}
                has_some = 'bboxes' in objects and len(objects['bboxes'])
                empty = (np.zeros((0, 4)), np.zeros(0, np.int64))
                boxes, labels = empty
                if has_some:
                    boxes = _array(objects['bboxes']).reshape(-1, 4)
                    labels = _array(objects['labels'])
                row[name] = (boxes, labels)
            self.results.append(row)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Match once, then score every threshold, size and super-category."""
        classes = tuple(self.dataset_meta['classes'])
        truth, found = self._tables(results)
        matches = match_objects(truth, found)
        tables = (truth, found, matches, self.iou_thresholds, len(classes))
        whole = average_precisions(*tables)
        scores = {'mAP': float(np.mean(whole.mean()))}
        self._add(scores, whole, '')
        for name, limits in self.size_ranges_px.items():
            self._add(scores, average_precisions(*tables, tuple(limits)), f'_{name}')
        if LISTED_CLASSES.issuperset(classes):
            for name, members in MEMBERS.items():
                labels = [k for k, one in enumerate(classes) if one in members]
                self._add(scores, _only(whole, labels), f'_{name}')
        if self.classwise:
            for label, name in enumerate(classes):
                self._add(scores, _only(whole, [label]), f'_class_{name}')
        text = ', '.join(f'{k} {scores[k]:.3f}' for k in scores if k[2:].isdigit())
        rule = 'with' if truth.is_inclusive else 'without'
        print_log(
            f'VOC mAP by area over {whole.num_defined} classes, boxes {rule} their '
            f'last pixel: {text}',
            'current',
        )
        scores['num_classes'] = whole.num_defined
        return scores

    def _tables(self, results: list) -> tuple[TrueObjects, FoundObjects]:
        kinds = ('gt_instances', 'ignored_instances')
        parts = [
            (number, is_ignored, *row[kind])
            for number, row in enumerate(results)
            for is_ignored, kind in enumerate(kinds)
        ]
        counts = [len(labels) for *_, labels in parts]
        inclusive = self.is_inclusive
        if inclusive is None:
            # mmdet keeps the corners of VOC's files, which are pixels of the box; its
            # VOCDataset alone has this key, None where no year is in the path.
            inclusive = 'dataset_type' in self.dataset_meta
        truth = TrueObjects(
            image_index=np.repeat([part[0] for part in parts], counts),
            labels=np.concatenate([part[3] for part in parts]).astype(np.int64),
            boxes=np.concatenate([part[2] for part in parts]).astype(np.float64),
            is_ignored=np.repeat([bool(part[1]) for part in parts], counts),
            is_inclusive=inclusive,
        )
        counts = [len(row['scores']) for row in results]
        columns = {
            name: np.concatenate([row[name] for row in results])
            for name in ('found_boxes', 'found_labels', 'scores')
        }
        found = FoundObjects(
            image_index=np.repeat(np.arange(len(results)), counts),
            labels=columns['found_labels'].astype(np.int64),
            boxes=columns['found_boxes'],
            scores=columns['scores'],
        )
        return truth, found

    def _add(self, scores: dict[str, float], table: APTable, suffix: str) -> None:
        for rule, ending in (('area', ''), ('eleven', '_11points')):
            means = zip(self.iou_thresholds, table.mean(rule), strict=True)
            for threshold, mean in means:
                name = f'AP{round(100 * threshold)}{suffix}{ending}'
                scores[name] = float(mean)


def _only(table: APTable, labels: Sequence[int]) -> APTable:
    """Return the columns of some classes."""
    return APTable(
        table.area[:, labels], table.eleven[:, labels], table.num_objects[list(labels)]
    )


def _array(values: Any) -> np.ndarray:
    tensor = getattr(values, 'tensor', values)
    if not hasattr(tensor, 'cpu'):
        return np.asarray(tensor)
    # NumPy knows no bfloat16, and half precision no large areas.
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    return tensor.cpu().numpy()
