"""Segmentation scored in bands around boundaries and outside, in one pass.

Whether a pre-training helps at borders or over whole objects is told by mIoU inside and
outside of bands of all widths (Li et al. 2019, Figure 2). Keys: mIoU, mIoU_inside_5,
mIoU_outside_5, aAcc_inside_5, mAcc_outside_5, boundary_mIoU, mAcc_small.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdetxfer.errors import UserError
from mmdetxfer.registry import METRICS
from mmdetxfer.scoring.segmentation_comparison import (
    NUM_CLASSES,
    SegmentationCounts,
    scores_of,
)
from mmdetxfer.scoring.segmentation_counts import WIDTHS, BandSettings, image_counts


@METRICS.register_module()
class TrimapMetric(BaseMetric):
    """Counts bands around boundaries, and scores them.

    In a config of mmseg, beside its own::

        val_evaluator = [
            dict(type='IoUMetric', iou_metrics=['mIoU']),
            dict(type='mmdetxfer.TrimapMetric'),
        ]

    The truth is ``gt_sem_seg``, at the size at which the prediction is. mIoU is of the
    classes that the truth has; mmseg's ``IoUMetric`` counts those that are only
    predicted as 0.

    Args:
        widths: Rising widths of bands, in pixels or in shares of the diagonal.
        of_diagonal: Whether widths are shares.
        kind: Around 'void' pixels (DeepLab's trimap) or changes of 'labels'.
        metric: 'square' or 'euclidean' distances.
        ignore_index: The label of void pixels.
        size_ranges_px: Name and (lowest, highest) root of the area of objects, the
            highest not in it; needs ``LoadObjectMap`` in the test pipeline.
        classwise: Whether IoU, Boundary IoU and accuracy of each class are among the
            scores too.
        **kwargs: Of mmengine's ``BaseMetric``.
    """

    default_prefix = 'trimap'

    def __init__(
        self,
        widths: Sequence[float] = WIDTHS,
        of_diagonal: bool = False,
        kind: str = 'void',
        metric: str = 'square',
        ignore_index: int = 255,
        size_ranges_px: Mapping[str, tuple[float, float]] | None = None,
        classwise: bool = False,
        **kwargs: Any,
    ) -> None:
        """Check the settings."""
        super().__init__(**kwargs)
        self.classwise = classwise
        self._settings = dict(
            widths=tuple(widths),
            of_diagonal=of_diagonal,
            kind=kind,
            metric=metric,
            ignore_index=ignore_index,
            size_ranges_px=dict(size_ranges_px or {}),
        )
        try:
            BandSettings(1, **self._settings)
        except ValueError as error:
            raise UserError(f'TrimapMetric: {error}') from error

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count each image; exactly one entry an image, in order."""
        settings = BandSettings(len(self.dataset_meta['classes']), **self._settings)
        for sample in data_samples:
            name = sample.get('img_path', 'an image')
            if 'gt_sem_seg' not in sample:
                raise UserError(
                    f'TrimapMetric: {name}: expected labels; put dict(type='
                    "'LoadAnnotations') into the test pipeline"
                )
            truth = _labels(sample['gt_sem_seg'])
            predicted = _labels(sample['pred_sem_seg'])
            objects = sample.get('object_map')
            if settings.size_ranges_px and objects is None:
                raise UserError(
                    f'TrimapMetric: {name}: size_ranges_px needs a map of objects; put '
                    "dict(type='mmdetxfer.LoadObjectMap') and its meta key into the "
                    'test pipeline'
                )
            try:
                counts = image_counts(truth, predicted, settings, objects)
            except ValueError as error:
                raise UserError(f'TrimapMetric: {name}: {error}') from error
            self.results.append((counts.bands, counts.rims, counts.sizes))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Sum the counts and score them."""
        if not results:
            raise UserError('TrimapMetric: expected images, none was tested')
        counts = SegmentationCounts(*map(np.stack, zip(*results, strict=True)))
        widths = self._settings['widths']
        sizes = list(self._settings['size_ranges_px'])
        found = scores_of(counts, widths, widths[0], sizes)
        if not counts.bands[:, :-1].any():
            print_log(
                f'no pixel is within {widths[-1]:g} of a boundary (kind '
                f'{self._settings["kind"]!r}): scores inside are nan; for data without '
                "void pixels there is kind='labels'",
                'current',
                logging.WARNING,
            )
        text = ', '.join(
            f'{key} {found[key]:.4f}'
            for key in ('mIoU', 'boundary mIoU')
            if key in found
        )
        print_log(f'{text} over {int(found["num_classes"])} classes', 'current')
        scores = {}
        for key, value in found.items():
            is_number = key.startswith(f'{NUM_CLASSES} ')
            if np.ndim(value) == 0 and not key.startswith('ln ') and not is_number:
                for long, short in (
                    ('pixel accuracy', 'aAcc'),
                    ('class accuracy', 'mAcc'),
                ):
                    key = key.replace(long, short)
                scores[key.replace(' ', '_')] = float(value)
            elif self.classwise and np.ndim(value) == 1:
                name = key.removeprefix('class ').replace('pixel accuracy', 'Acc')
                pairs = zip(self.dataset_meta['classes'], value, strict=True)
                for own, number in pairs:
                    scores[f'{name}_class_{own}'.replace(' ', '_')] = float(number)
        return scores


def _labels(data: Mapping[str, Any]) -> np.ndarray:
    labels = data['data']
    labels = labels.cpu().numpy() if hasattr(labels, 'cpu') else np.asarray(labels)
    # mmseg's heads of one channel say whole numbers as floats.
    if labels.dtype.kind == 'f' and (labels == np.round(labels)).all():
        labels = labels.astype(np.int64)
    if labels.ndim == 3 and len(labels) == 1:
        labels = labels[0]
    # Eight bits are counted several times as fast; others are refused.
    is_whole = labels.dtype.kind in 'iu' and labels.size
    fits = is_whole and labels.min() >= 0 and labels.max() <= 255
    return labels.astype(np.uint8) if fits else labels
