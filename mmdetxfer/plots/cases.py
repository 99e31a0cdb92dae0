"""Pictures of cases: an image with what two candidates make of it."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

# What becomes of objects, and false detections: colour and style of the line.
_MARKS = {
    'found': ('#1a9850', '-'),
    'Loc': ('#ff9f1c', '-'),
    'Cls': ('#b15ec8', '-'),
    'missed': ('#e31a1c', '-'),
    'false': ('#2c7fb8', '--'),
}
_MARK_TEXTS = {
    'found': 'object found',
    'Loc': 'misplaced',
    'Cls': 'misnamed',
    'missed': 'missed',
    'false': 'false, among the surest (kind)',
}


@dataclass(frozen=True)
class Mark:
    """A box in a picture.

    Args:
        box: Its corners in pixels.
        state: What it is: found, Loc, Cls, missed or false.
        text: What is written on it.
    """

    box: tuple[float, float, float, float]
    state: str
    text: str


@dataclass(frozen=True)
class Case:
    """An image with what two detectors make of it.

    Args:
        image: (H, W, 3) RGB.
        title: What is written above.
        marks: Boxes for either detector.
    """

    image: np.ndarray
    title: str
    marks: tuple[Sequence[Mark], Sequence[Mark]]


def draw_cases(cases: Sequence[Case], names: tuple[str, str], path: Path) -> None:
    """Draw images in rows, one detector beside the other."""
    size = (8.0, 3.6 * len(cases) + 0.5)
    figure, panels = plt.subplots(
        len(cases), 2, figsize=size, squeeze=False, constrained_layout=True
    )
    for row, case in zip(panels, cases, strict=True):
        for axes, name, marks in zip(row, names, case.marks, strict=True):
            axes.imshow(case.image)
            axes.set_title(f'{name}, {case.title}', fontsize=9)
            axes.axis('off')
            for mark in marks:
                colour, style = _MARKS[mark.state]
                x1, y1, x2, y2 = mark.box
                corner = dict(edgecolor=colour, linestyle=style, fill=False, lw=1.6)
                axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **corner))
                label = dict(facecolor=colour, alpha=0.7, pad=0.8, lw=0)
                words = dict(fontsize=6, color='white', bbox=label, clip_on=True)
                axes.text(x1, y1, mark.text, va='bottom', **words)
    lines = [
        Line2D([], [], color=colour, linestyle=style, label=_MARK_TEXTS[state])
        for state, (colour, style) in _MARKS.items()
    ]
    figure.legend(handles=lines, loc='outside lower center', ncols=5, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


@dataclass(frozen=True)
class SegmentationCase:
    """An image with its true labels and those of two segmentors.

    Args:
        image: (H, W, 3) RGB.
        title: What is written beside it.
        maps: (H, W) labels: true, of the baseline, of the candidate.
    """

    image: np.ndarray
    title: str
    maps: tuple[np.ndarray, np.ndarray, np.ndarray]


def draw_segmentation_cases(
    cases: Sequence[SegmentationCase],
    names: tuple[str, str],
    palette: Sequence[Sequence[int]],
    ignore_index: int,
    path: Path,
) -> None:
    """Draw image, truth, both segmentations and where they differ, a row an image.

    In the last column pixels that the candidate alone has right are green, those that
    the baseline alone has right are red.
    """
    colours = np.full((256, 3), 255, dtype=np.uint8)
    for label, colour in enumerate(palette):
        colours[label] = colour
    colours[ignore_index] = (224, 224, 192)
    size = (11.0, 2.4 * len(cases) + 0.4)
    figure, panels = plt.subplots(
        len(cases), 5, figsize=size, squeeze=False, constrained_layout=True
    )
    heads = ('image', 'truth', *names, f'{names[1]} right (green), wrong (red)')
    for axes, head in zip(panels[0], heads, strict=True):
        axes.set_title(head, fontsize=9)
    for row, case in zip(panels, cases, strict=True):
        truth, first, second = case.maps
        valid = truth != ignore_index
        change = np.full((*truth.shape, 3), 240, dtype=np.uint8)
        change[valid & (second == truth) & (first != truth)] = (26, 152, 80)
        change[valid & (second != truth) & (first == truth)] = (227, 26, 28)
        pictures = (case.image, *(colours[one] for one in case.maps), change)
        for axes, picture in zip(row, pictures, strict=True):
            axes.imshow(picture)
            axes.set_xticks([])
            axes.set_yticks([])
        row[0].set_ylabel(textwrap.fill(case.title, 26), fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)
