"""Every figure of this package; the one file that imports matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')

import numpy as np  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402


def draw_iou_curves(scores: Sequence[dict], stem: Path, rule: str = 'area') -> None:
    """Draw mean AP against the IoU threshold, a line a candidate, as PNG and SVG.

    The band is from the worst to the best seed at each threshold (pointwise).

    Args:
        scores: Records of kind 'score' (``scoring.comparison``).
        stem: The files' path without their ending.
        rule: 'area' or 'eleven'.
    """
    own = [row for row in scores if row['kind'] == 'score' and row['rule'] == rule]
    figure, axes = plt.subplots(figsize=(5.5, 4.0), constrained_layout=True)
    for name in dict.fromkeys(row['candidate'] for row in own):
        values: dict[int, list[float]] = {}
        for row in own:
            if row['candidate'] == name:
                percent = int(row['score'].removeprefix('AP'))
                values.setdefault(percent, []).append(row['value'])
        percents = sorted(values)
        thresholds = np.array(percents) / 100
        seeds = np.array([values[percent] for percent in percents])
        count = seeds.shape[1]
        label = f'{name}, {count} seed{"s" * (count > 1)}'
        (line,) = axes.plot(thresholds, seeds.mean(1), marker='o', ms=3, label=label)
        if count > 1:
            band = (thresholds, seeds.min(1), seeds.max(1))
            axes.fill_between(*band, color=line.get_color(), alpha=0.2, lw=0)
    axes.set_xlabel('IoU threshold')
    axes.set_ylabel(f'mAP ({rule} rule)')
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(title='band: range of seeds, pointwise', fontsize=8, title_fontsize=8)
    for suffix in ('.png', '.svg'):
        figure.savefig(stem.with_suffix(suffix), dpi=150)
    plt.close(figure)
