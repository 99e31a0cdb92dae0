"""The cells of a study as a graph: what needs what, and what is done."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from matplotlib import pyplot as plt

_DONE, _MISSING = '#009E73', '#ffffff'


def depths_of(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return how many cells stand before each, on the longest way to it.

    Args:
        needs: Of each cell, those that it needs; what is needed stands before.
    """
    found: dict[str, int] = {}
    for key, own in needs.items():
        found[key] = 1 + max((found[need] for need in own), default=-1)
    return found


def draw_cells(
    nodes: Mapping[str, tuple[str, Sequence[str]]], done: Collection[str], path: Path
) -> None:
    """Draw cells from left to right, those that are done filled.

    Args:
        nodes: Of each cell, what it is and what it needs.
        done: Cells that are done.
        path: A PNG, SVG or PDF file.
    """
    depths = depths_of({key: needs for key, (_, needs) in nodes.items()})
    places: dict[str, tuple[float, float]] = {}
    columns: dict[int, int] = {}
    for key, depth in depths.items():
        row = columns.get(depth, 0)
        columns[depth] = row + 1
        places[key] = (5.0 * depth, -float(row))
    height = max(2.0, 0.32 * max(columns.values()))
    figure, axes = plt.subplots(
        figsize=(4.2 * len(columns), height), constrained_layout=True
    )
    for key, (_, needs) in nodes.items():
        for need in needs:
            ends = (places[need], places[key])
            axes.plot(*zip(*ends, strict=True), color='#999999', lw=0.6, zorder=1)
    for key, (words, _) in nodes.items():
        colour = _DONE if key in done else _MISSING
        box = dict(boxstyle='round', facecolor=colour, edgecolor='#333333', lw=0.6)
        x, y = places[key]
        dark = 'white' if key in done else 'black'
        settings = dict(ha='center', va='center', fontsize=6, color=dark, zorder=2)
        axes.text(x, y, words, bbox=box, **settings)
    axes.set_xlim(-2.5, 5.0 * (len(columns) - 1) + 2.5)
    axes.set_ylim(-max(columns.values()), 1)
    axes.set_axis_off()
    axes.set_title('filled: done', fontsize=7)
    figure.savefig(path, dpi=120)
    plt.close(figure)
