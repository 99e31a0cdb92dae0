"""Every figure of this package; nothing else imports matplotlib."""

import matplotlib

matplotlib.use('Agg')

from mmdetxfer.plots.cases import (  # noqa: E402
    Case,
    Mark,
    SegmentationCase,
    draw_cases,
    draw_segmentation_cases,
)
from mmdetxfer.plots.cells import draw_cells  # noqa: E402
from mmdetxfer.plots.costs import (  # noqa: E402
    CostPoint,
    draw_score_against_cost,
    pareto_front,
)
from mmdetxfer.plots.curves import (  # noqa: E402
    draw_band_curves,
    draw_error_differences,
    draw_groups,
    draw_iou_curves,
    draw_layers,
)

__all__ = [
    'Case',
    'CostPoint',
    'Mark',
    'SegmentationCase',
    'draw_band_curves',
    'draw_cases',
    'draw_cells',
    'draw_error_differences',
    'draw_groups',
    'draw_iou_curves',
    'draw_layers',
    'draw_score_against_cost',
    'draw_segmentation_cases',
    'pareto_front',
]
