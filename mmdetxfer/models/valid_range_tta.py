"""Testing at several scales, each for the sizes that it is good at (SNIPER, facts B11).

Every scale's boxes are kept if their area in original pixels is in that scale's test
range, lower end excluded and upper end included; then all are put together, and
Gaussian soft-NMS runs for each class. No scale suppresses by itself before that.
"""

from typing import Any

import torch
from mmcv.ops import batched_nms
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData

from mmdetxfer.chips.plan import NO_BOUND, ChipPlan
from mmdetxfer.errors import UserError
from mmdetxfer.registry import MODELS

# mmdet's heads do not agree on what -1 means.
_NO_LIMIT = 1_000_000
SOFT_NMS = dict(type='soft_nms', sigma=0.55, min_score=1e-3, method='gaussian')


@MODELS.register_module()
class ValidRangeTTA(BaseTTAModel):
    """Test-time augmentation over scales with valid ranges.

    In a config, with ``tools/test.py --tta``::

        tta_model = dict(
            type='mmdetxfer.ValidRangeTTA',
            plan=dict(..., test_ranges=[(-1, 90), (32, 180), (75, -1)]),
        )

    with the plan of the training, and a ``tta_pipeline`` whose ``TestTimeAug`` has one
    ``Resize`` a scale, finest first; flips, if any, come after the scales. The
    detector's own suppression and its limit of boxes are switched off.

    Args:
        module: The detector.
        plan: A ``ChipPlan`` or its arguments; its ``test_ranges`` count.
        nms: How boxes of all scales are suppressed.
        max_per_img: Boxes that are kept.
    """

    def __init__(
        self,
        module: Any,
        plan: ChipPlan | dict,
        nms: dict = SOFT_NMS,
        max_per_img: int = 200,
        **kwargs: Any,
    ) -> None:
        """Take the ranges of the plan."""
        super().__init__(module=module, **kwargs)
        plan = plan if isinstance(plan, ChipPlan) else ChipPlan(**plan)
        self.test_ranges = plan.test_ranges
        self.nms, self.max_per_img = dict(nms), max_per_img
        for name in ('roi_head', 'bbox_head'):
            test_cfg = getattr(getattr(self.module, name, None), 'test_cfg', None)
            if test_cfg is not None:
                test_cfg.nms, test_cfg.max_per_img = None, _NO_LIMIT

    def merge_preds(self, data_samples_list: list) -> list[DetDataSample]:
        """Return one result for each image, out of those of its views."""
        return [self._merged(list(views)) for views in data_samples_list]

    def _merged(self, views: list[DetDataSample]) -> DetDataSample:
        num_scales = len(self.test_ranges)
        num_upright = sum(not view.metainfo.get('flip') for view in views)
        if num_upright != num_scales or len(views) % num_scales:
            raise UserError(
                f'ValidRangeTTA: expected a view for each of {num_scales} test_ranges '
                f'(and as many again for flips), got {len(views)}, of which '
                f'{num_upright} not flipped; compare tta_pipeline with the plan'
            )
        flips = len(views) // num_scales
        kept = [
            _in_range(_upright(view), self.test_ranges[number // flips])
            for number, view in enumerate(views)
        ]
        together = InstanceData.cat(kept)
        merged = views[0]
        if len(together) == 0:
            merged.pred_instances = together
            return merged
        scored, places = batched_nms(
            together.bboxes, together.scores, together.labels, dict(self.nms)
        )
        result = together[places]
        # Soft-NMS lowers scores; they come back beside the boxes.
        result.bboxes, result.scores = scored[:, :4], scored[:, 4]
        merged.pred_instances = result[: self.max_per_img]
        return merged


def _upright(view: DetDataSample) -> InstanceData:
    """Return the boxes of a view in the image as it lies."""
    instances = view.pred_instances
    if view.metainfo.get('flip'):
        shape, direction = view.ori_shape, view.flip_direction
        instances.bboxes = bbox_flip(instances.bboxes, shape, direction)
    return instances


def _in_range(instances: InstanceData, test_range: tuple[float, float]) -> InstanceData:
    sides = instances.bboxes[:, 2:] - instances.bboxes[:, :2]
    areas = sides[:, 0] * sides[:, 1]
    low, high = test_range
    kept = torch.ones(len(areas), dtype=torch.bool, device=areas.device)
    if low != NO_BOUND:
        kept &= areas > low**2
    if high != NO_BOUND:
        kept &= areas <= high**2
    return instances[kept]
