"""Curves with bands of seeds, and bars with intervals."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

_BAND = 'band: range of seeds, pointwise'


def _line(axes: Any, x: np.ndarray, seeds: np.ndarray, name: str) -> None:
    """Draw the means of (X, S) values of seeds, with a band from worst to best."""
    count = seeds.shape[1]
    label = f'{name}, {count} seed{"s" * (count > 1)}'
    (line,) = axes.plot(x, seeds.mean(1), marker='o', ms=3, label=label)
    if count > 1:
        band = (x, seeds.min(1), seeds.max(1))
        axes.fill_between(*band, color=line.get_color(), alpha=0.2, lw=0)


def _legend_below(figure: Any) -> None:
    """Name the lines of the first panel where no curve is."""
    lines, labels = figure.axes[0].get_legend_handles_labels()
    settings = dict(ncols=3, fontsize=8, title=_BAND, title_fontsize=8)
    figure.legend(lines, labels, loc='outside lower center', **settings)


def _save(figure: Any, stem: Path) -> None:
    for suffix in ('.png', '.svg'):
        figure.savefig(stem.with_suffix(suffix), dpi=150)
    plt.close(figure)


def draw_iou_curves(scores: Sequence[dict], stem: Path, rule: str = 'area') -> None:
    """Draw mean AP against the IoU threshold, a line a candidate, as PNG and SVG.

    The band is from the worst to the best seed at each threshold (pointwise).

    Args:
        scores: Records of kind 'score' (``scoring.comparison``).
        stem: The files' path without their ending.
        rule: 'area' or 'eleven'.
    """
    own = [row for row in scores if row['kind'] == 'score' and row['rule'] == rule]
    figure, axes = plt.subplots(figsize=(5.5, 4.6), constrained_layout=True)
    for name in dict.fromkeys(row['candidate'] for row in own):
        values: dict[int, list[float]] = {}
        for row in own:
            if row['candidate'] == name:
                percent = int(row['score'].removeprefix('AP'))
                values.setdefault(percent, []).append(row['value'])
        percents = sorted(values)
        seeds = np.array([values[percent] for percent in percents])
        _line(axes, np.array(percents) / 100, seeds, name)
    axes.set_xlabel('IoU threshold')
    axes.set_ylabel(f'mAP ({rule} rule)')
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    _legend_below(figure)
    _save(figure, stem)


def draw_error_differences(differences: Sequence[dict], stem: Path) -> None:
    """Draw what differs from the baseline by kind of error, with intervals.

    Args:
        differences: Records of kind 'error_difference' (``scoring.error_differences``).
        stem: The files' path without their ending.
    """
    measures = list(dict.fromkeys(row['measure'] for row in differences))
    names = list(dict.fromkeys(row['candidate'] for row in differences))
    if not measures:
        return
    figure, panels = plt.subplots(
        1, len(measures), figsize=(5.5 * len(measures), 3.6), constrained_layout=True
    )
    width = 0.8 / len(names)
    for axes, measure in zip(np.atleast_1d(panels), measures, strict=True):
        own = [row for row in differences if row['measure'] == measure]
        kinds = list(dict.fromkeys(row['error'] for row in own))
        for place, name in enumerate(names):
            rows = [row for row in own if row['candidate'] == name]
            heights = np.array([row['difference'] for row in rows])
            ends = np.array([[row['low'], row['high']] for row in rows])
            x = np.array([kinds.index(row['error']) for row in rows], dtype=float)
            x += (place - (len(names) - 1) / 2) * width
            bars = np.abs(ends.T - heights)
            # With one seed training noise is unknown.
            one_seed = any(np.isnan(row['variance_of_seeds']) for row in rows)
            label = f'{name} (images alone)' if one_seed else name
            axes.bar(x, heights, width, yerr=bars, capsize=2, label=label)
        axes.axhline(0, color='black', lw=0.8)
        axes.set_xticks(range(len(kinds)), kinds)
        axes.set_title(f'{measure}, less {own[0]["baseline"]}', fontsize=10)
        axes.legend(title='95 % interval', fontsize=8, title_fontsize=8)
    _save(figure, stem)


def draw_band_curves(
    scores: Sequence[dict], widths: Sequence[float], stem: Path
) -> None:
    """Draw mIoU and accuracy inside and outside of bands against their width.

    A line is a candidate; its band is from the worst to the best seed at each width
    (pointwise).

    Args:
        scores: Records of kind 'score' (``scoring.segmentation_comparison``).
        widths: The widths.
        stem: The files' path without their ending.
    """
    figure, panels = plt.subplots(2, 2, figsize=(9.0, 7.0), constrained_layout=True)
    titles = {'inside': 'within the width (trimap)', 'outside': 'beyond (anti-trimap)'}
    for row, measure in zip(panels, ('mIoU', 'class accuracy'), strict=True):
        for axes, (side, title) in zip(row, titles.items(), strict=True):
            for name in dict.fromkeys(one['candidate'] for one in scores):
                own = [one for one in scores if one['candidate'] == name]
                seeds = np.array(
                    [
                        [
                            one['value']
                            for one in own
                            if one['score'] == f'{measure} {side} {width:g}'
                        ]
                        for width in widths
                    ]
                )
                _line(axes, np.array(widths), seeds, name)
            unit = 'pixels' if widths[-1] > 1 else 'shares of the diagonal'
            axes.set_xlabel(f'width of the band, {unit}')
            axes.set_ylabel(measure)
            axes.set_title(title, fontsize=10)
            axes.grid(alpha=0.3)
    _legend_below(figure)
    _save(figure, stem)


def draw_layers(scores: Sequence[dict], stem: Path) -> None:
    """Draw top-1 of probes against the depth of the layer, a panel a target.

    Of layers with several poolings the first is drawn; a candidate without a layer has
    no point there.

    Args:
        scores: Records of kind 'score' and table 'layers' (``probe_tables``).
        stem: The files' path without their ending.
    """
    own = [
        row for row in scores if row['table'] == 'layers' and row['score'] == 'top-1'
    ]
    # The last of each has a name, and so a place, of its own.
    own = [row for row in own if not row['layer'].startswith('last ')] or own
    first: dict[str, str] = {}
    for row in own:
        first.setdefault(row['layer'].partition(' ')[0], row['layer'])
    places = {key: place for place, key in enumerate(first.values())}
    targets = list(dict.fromkeys(row['target'] for row in own))
    figure, panels = plt.subplots(
        1, len(targets), figsize=(4.0 * len(targets), 4.2), constrained_layout=True
    )
    for axes, target in zip(np.atleast_1d(panels), targets, strict=True):
        for name in dict.fromkeys(row['candidate'] for row in own):
            values: dict[int, list[float]] = {}
            for row in own:
                is_meant = (row['target'], row['candidate']) == (target, name)
                if is_meant and row['layer'] in places:
                    values.setdefault(places[row['layer']], []).append(row['value'])
            depths = sorted(values)
            seeds = np.array([values[depth] for depth in depths])
            _line(axes, np.array(depths), seeds, name)
        axes.set_xticks(range(len(places)), places, rotation=45, fontsize=7)
        axes.set_title(target, fontsize=10)
        axes.set_ylabel('top-1 of a linear probe')
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    _legend_below(figure)
    _save(figure, stem)


def draw_groups(scores: Sequence[dict], stem: Path) -> None:
    """Draw top-1 of probes against the number of instances and what these cover.

    A row of panels is a target that has boxes; without any nothing is drawn.

    Args:
        scores: Records of kind 'score' and table 'probes' (``probe_tables``).
        stem: The files' path without their ending.
    """
    own = [
        row for row in scores if row['table'] == 'probes' and row['score'] == 'top-1'
    ]
    targets = list(dict.fromkeys(row['target'] for row in own if row['group'] != 'all'))
    if not targets:
        return
    figure, panels = plt.subplots(
        len(targets),
        2,
        figsize=(9.0, 4.2 * len(targets)),
        squeeze=False,
        constrained_layout=True,
    )
    for target, pair in zip(targets, panels, strict=True):
        rows = [row for row in own if row['target'] == target]
        titles = ('number of instances', 'share of the image that they cover')
        for axes, (start, groups), title in zip(
            pair, _kinds_of_groups(rows).items(), titles, strict=True
        ):
            _draw_panel_of_groups(axes, rows, start, groups)
            axes.set_title(f'{target}: {title}', fontsize=10)
    _legend_below(figure)
    _save(figure, stem)


def _kinds_of_groups(rows: Sequence[dict]) -> dict[str, list[str]]:
    """Return the groups that are drawn, without those that are set against others."""
    names = list(dict.fromkeys(row['group'] for row in rows))
    return {
        'instances ': [
            one for one in names if re.fullmatch('instances (1|2|3[+])', one)
        ],
        'share ': [
            one for one in names if re.fullmatch(r'share [\d.]+( to .*|[+])', one)
        ],
    }


def _draw_panel_of_groups(
    axes: Any, rows: Sequence[dict], start: str, groups: Sequence[str]
) -> None:
    """Draw a line a candidate over the groups; their names have a common beginning."""
    counts = {row['group']: row['num_images'] for row in rows}
    for name in dict.fromkeys(row['candidate'] for row in rows):
        seeds = [
            [
                row['value']
                for row in rows
                if (row['candidate'], row['group']) == (name, group)
            ]
            for group in groups
        ]
        _line(axes, np.arange(len(groups)), np.array(seeds), name)
    labels = [f'{one.removeprefix(start)}\n{counts[one]} images' for one in groups]
    axes.set_xticks(range(len(groups)), labels, fontsize=8)
    axes.set_ylabel('top-1 of a linear probe')
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
