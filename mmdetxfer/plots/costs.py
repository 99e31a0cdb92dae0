"""Scores against what a pre-training costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import pyplot as plt

# Okabe and Ito's colours, told apart with any kind of colour vision, and signs beside.
_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000')
_SIGNS = 'osD^vPX*'
_UNITS = ((1e18, 'exa'), (1e15, 'peta'), (1e12, 'tera'), (1e9, 'giga'), (1e6, 'mega'))


@dataclass(frozen=True)
class CostPoint:
    """What a candidate costs, and what it scores.

    Args:
        name: The candidate.
        multiply_adds: Of its pre-training and transfer.
        score: The larger the better.
        low: Lower end of the score's interval, None where there is none.
        high: Upper end.
    """

    name: str
    multiply_adds: float
    score: float
    low: float | None = None
    high: float | None = None


def pareto_front(points: Sequence[CostPoint]) -> list[CostPoint]:
    """Return the points that no other beats at the same or a lower cost, by cost.

    Of points that are equal in both the first stands for all.
    """
    front: list[CostPoint] = []
    for point in sorted(points, key=lambda one: (one.multiply_adds, -one.score)):
        if not front or point.score > front[-1].score:
            front.append(point)
    return front


def draw_score_against_cost(
    points: Sequence[CostPoint], stem: Path, score_name: str, interval: str = ''
) -> None:
    """Draw scores over multiply-adds with the Pareto front, as PNG and SVG.

    Costs that differ more than twentyfold stand on a logarithmic axis, on which 0 has a
    place of its own.

    Args:
        points: One a candidate; nothing is drawn where there is none.
        stem: The files' path without their ending.
        score_name: Name of the score, for its axis.
        interval: What the bars are, in words; said where there are any.
    """
    if not points:
        return
    costs = [point.multiply_adds for point in points]
    smallest = min((cost for cost in costs if cost > 0), default=0)
    unit, word = next((one for one in _UNITS if smallest >= one[0]), (1.0, ''))
    figure, axes = plt.subplots(figsize=(6.4, 4.6), constrained_layout=True)
    front = pareto_front(points)
    line = dict(where='post', color='#888888', lw=1.2, zorder=1)
    steps = [point.multiply_adds / unit for point in front] + [max(costs) / unit]
    scores = [point.score for point in front] + [front[-1].score]
    axes.step(steps, scores, label='best for its cost (Pareto front)', **line)
    for place, point in enumerate(points):
        _draw_point(axes, point, unit, place)
    _set_costs(axes, [cost / unit for cost in costs])
    axes.set_xlabel(
        f'cost of pre-training and transfer, {word}{"-" * bool(word)}multiply-adds'
    )
    axes.set_ylabel(score_name)
    axes.grid(alpha=0.3)
    has_bars = any(point.low is not None for point in points)
    title = f'bars: {interval}' if has_bars and interval else None
    settings = dict(ncols=2, fontsize=8, title=title, title_fontsize=8)
    figure.legend(loc='outside lower center', **settings)
    for suffix in ('.png', '.svg'):
        figure.savefig(stem.with_suffix(suffix), dpi=150)
    plt.close(figure)


def _draw_point(axes: plt.Axes, point: CostPoint, unit: float, place: int) -> None:
    bars = None
    if point.low is not None and point.high is not None:
        bars = [[point.score - point.low], [point.high - point.score]]
    axes.errorbar(
        [point.multiply_adds / unit],
        [point.score],
        yerr=bars,
        fmt=_SIGNS[place % len(_SIGNS)],
        color=_COLOURS[place % len(_COLOURS)],
        capsize=3,
        label=point.name,
    )


def _set_costs(axes: plt.Axes, costs: list[float]) -> None:
    positive = [cost for cost in costs if cost > 0]
    if not positive or max(positive) <= 20 * min(positive):
        return
    if len(positive) == len(costs):
        axes.set_xscale('log')
    else:
        axes.set_xscale('symlog', linthresh=min(positive))
    axes.xaxis.set_major_formatter(lambda cost, _: f'{cost:g}')
