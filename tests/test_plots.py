"""Figures show what the records say."""

import re

import cv2
import numpy as np
import pytest

from mmdetxfer.plots import (
    Case,
    Mark,
    SegmentationCase,
    draw_band_curves,
    draw_cases,
    draw_error_differences,
    draw_groups,
    draw_iou_curves,
    draw_segmentation_cases,
)


def rows(candidate, rule='area', seeds=((0.9, 0.5), (0.7, 0.1))):
    return [
        dict(
            kind='score',
            candidate=candidate,
            seed=seed,
            rule=rule,
            score=score,
            value=value,
        )
        for seed, values in enumerate(seeds)
        for score, value in zip(('AP50', 'AP90'), values, strict=True)
    ]


def test_a_line_and_a_band_for_each_candidate_in_both_formats(tmp_path):
    records = rows('det') + rows('cls', seeds=((0.4, 0.2),)) + rows('no', rule='eleven')
    draw_iou_curves(records, tmp_path / 'figure')
    assert cv2.imread(str(tmp_path / 'figure.png')).shape == (690, 825, 3)
    text = (tmp_path / 'figure.svg').read_text()
    said = re.findall(r'<!-- (.*?) -->', text)
    assert {'det, 2 seeds', 'cls, 1 seed', 'IoU threshold'} <= set(said)
    assert 'band: range of seeds, pointwise' in said and 'mAP (area rule)' in said
    assert not any(one.startswith('no,') for one in said)
    # One band alone: a single seed has none.
    assert text.count('id="FillBetweenPolyCollection') == 1


def test_lines_go_through_the_means(tmp_path, monkeypatch):
    """0.8 and 0.3 of two seeds; the band from 0.7 to 0.9 and from 0.1 to 0.5."""
    from matplotlib.axes import Axes

    drawn = []
    plot, fill = Axes.plot, Axes.fill_between

    def watched_plot(self, x, y, **options):
        drawn.append((list(x), list(y)))
        return plot(self, x, y, **options)

    def watched_fill(self, x, low, high, **options):
        drawn.append((list(low), list(high)))
        return fill(self, x, low, high, **options)

    monkeypatch.setattr(Axes, 'plot', watched_plot)
    monkeypatch.setattr(Axes, 'fill_between', watched_fill)
    draw_iou_curves(rows('det'), tmp_path / 'figure')
    (x, means), (low, high) = drawn
    assert x == [0.5, 0.9] and means == pytest.approx([0.8, 0.3])
    assert low == [0.7, 0.1] and high == [0.9, 0.5]
    drawn.clear()
    draw_iou_curves(rows('det') + rows('det', 'eleven'), tmp_path / 'f', 'eleven')
    assert len(drawn) == 2


def test_bars_of_errors_with_their_intervals(tmp_path, monkeypatch):
    """Two kinds of two candidates: bars at the differences, lines to the ends."""
    from matplotlib.axes import Axes

    drawn = []
    bar = Axes.bar

    def watched(self, x, heights, width, yerr, **options):
        drawn.append((list(x), list(heights), yerr.tolist(), options['label']))
        return bar(self, x, heights, width, yerr=yerr, **options)

    monkeypatch.setattr(Axes, 'bar', watched)
    records = [
        dict(
            measure='gain',
            error=error,
            candidate=name,
            baseline='cls',
            difference=value,
            low=value - 0.25,
            high=value + 0.5,
            variance_of_seeds=float('nan') if name == 'loc' else 0.1,
        )
        for name, values in (('det', (1.0, 2.0)), ('loc', (-1.0, 0.5)))
        for error, value in zip(('Cls', 'Loc'), values, strict=True)
    ]
    draw_error_differences(records, tmp_path / 'errors')
    assert drawn[0][1:] == ([1.0, 2.0], [[0.25, 0.25], [0.5, 0.5]], 'det')
    assert drawn[1][1] == [-1.0, 0.5] and drawn[1][3] == 'loc (images alone)'
    assert drawn[0][0][0] < 0 < drawn[1][0][0]
    assert cv2.imread(str(tmp_path / 'errors.png')) is not None
    said = re.findall(r'<!-- (.*?) -->', (tmp_path / 'errors.svg').read_text())
    assert {'gain, less cls', 'det', 'Loc', '95 % interval'} <= set(said)
    draw_error_differences([], tmp_path / 'nothing')
    assert not (tmp_path / 'nothing.png').exists()


def test_cases_show_the_boxes_of_both_in_their_colours(tmp_path):
    """A red box for a missed object at the left, a green one at the right."""
    image = np.full((60, 80, 3), 255, dtype=np.uint8)
    box = (20.0, 10.0, 60.0, 40.0)
    marks = ([Mark(box, 'missed', 'cat')], [Mark(box, 'found', 'cat')])
    draw_cases([Case(image, 'one', marks)], ('cls', 'det'), tmp_path / 'cases.png')
    picture = cv2.imread(str(tmp_path / 'cases.png')).astype(int)
    # The key below has all colours.
    above = picture[: int(picture.shape[0] * 0.8)]
    half = picture.shape[1] // 2
    red, green = (28, 26, 227), (80, 152, 26)

    def share(part, colour):
        return (np.abs(part - colour).max(-1) < 12).mean()

    assert share(above[:, :half], red) > 0.002 > 10 * share(above[:, half:], red)
    assert share(above[:, half:], green) > 0.002 > 10 * share(above[:, :half], green)


def test_curves_over_the_width_go_through_the_means(tmp_path, monkeypatch):
    """Four panels: mIoU and accuracy, inside and outside; two seeds of a candidate."""
    from matplotlib.axes import Axes

    drawn = []
    plot = Axes.plot

    def watched(self, x, y, **options):
        drawn.append((list(x), list(y)))
        return plot(self, x, y, **options)

    monkeypatch.setattr(Axes, 'plot', watched)
    values = {'mIoU': 0.2, 'class accuracy': 0.4}
    records = [
        dict(
            candidate='det',
            score=f'{measure} {side} {width}',
            value=value + 0.01 * width + 0.1 * seed + 0.3 * (side == 'outside'),
        )
        for measure, value in values.items()
        for side in ('inside', 'outside')
        for width in (1, 2)
        for seed in (0, 1)
    ]
    draw_band_curves(records, [1, 2], tmp_path / 'bands')
    means = [y for x, y in drawn if x == [1, 2]]
    assert means == [
        pytest.approx([start + 0.01, start + 0.02])
        for start in (0.25, 0.55, 0.45, 0.75)
    ]
    text = (tmp_path / 'bands.svg').read_text()
    assert 'det, 2 seeds' in text and 'beyond (anti-trimap)' in text
    assert cv2.imread(str(tmp_path / 'bands.png')) is not None


def group_rows(target, candidate, values):
    """Records of two seeds, the second 0.2 better; and some that are not drawn."""
    head = dict(table='probes', target=target, candidate=candidate, num_images=7)
    return [
        dict(head, score=score, group=group, value=value + 0.2 * seed)
        for seed in (0, 1)
        for group, value in values.items()
        for score in ('top-1', 'mean per class')
    ]


def test_each_target_with_boxes_has_a_row_of_panels(tmp_path, monkeypatch):
    """Of three targets one has none; groups of a comparison are no points.

    The means of two seeds are 0.1 above the first one's.
    """
    from mmdetxfer.plots import curves

    figures = []
    monkeypatch.setattr(curves, '_save', lambda figure, _: figures.append(figure))
    compared = {'all': 0.5, 'instances 2+': 0.5, 'share to 0.1': 0.5}
    compared['share over 0.1'] = 0.5
    birds = {'instances 1': 0.6, 'instances 2': 0.4, 'instances 3+': 0.2}
    birds |= {'share 0 to 0.05': 0.1, 'share 0.05 to 0.1': 0.2, 'share 0.4+': 0.3}
    cars = {'instances 1': 0.7, 'share 0.1 to 0.2': 0.8}
    records = group_rows('plain', 'cls', {'all': 0.3})
    for name, less in (('cls', 0.0), ('det', 0.1)):
        for target, values in (('birds', birds), ('cars', cars)):
            lower = {group: value - less for group, value in values.items()}
            records += group_rows(target, name, {**compared, **lower})
    draw_groups(records, tmp_path / 'objects')
    (figure,) = figures
    assert [axes.get_title() for axes in figure.axes] == [
        f'{target}: {title}'
        for target in ('birds', 'cars')
        for title in ('number of instances', 'share of the image that they cover')
    ]
    drawn = [
        [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()]
        for axes in figure.axes
    ]
    expected = [[0.7, 0.5, 0.3], [0.2, 0.3, 0.4], [0.8], [0.9]]
    for (first, second), means in zip(drawn, expected, strict=True):
        assert first == (list(range(len(means))), pytest.approx(means))
        assert second[1] == pytest.approx([mean - 0.1 for mean in means])
    ticks = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert ticks == [f'{one}\n7 images' for one in ('0 to 0.05', '0.05 to 0.1', '0.4+')]


def test_without_boxes_no_groups_are_drawn(tmp_path):
    draw_groups(group_rows('plain', 'cls', {'all': 0.3}), tmp_path / 'objects')
    assert not list(tmp_path.iterdir())


def test_panels_show_what_the_candidate_gains_in_green_and_loses_in_red(tmp_path):
    """The upper half is right in the candidate alone, the lower in the baseline."""
    truth = np.ones((40, 40), np.uint8)
    first, second = truth.copy(), truth.copy()
    first[:20], second[20:] = 0, 0
    image = np.full((40, 40, 3), 128, np.uint8)
    case = SegmentationCase(image, 'one', (truth, first, second))
    palette = [(0, 0, 0), (10, 20, 200)]
    path = tmp_path / 'panels.png'
    draw_segmentation_cases([case], ('cls', 'det'), palette, 255, path)
    picture = cv2.imread(str(path)).astype(int)
    last = picture[:, int(picture.shape[1] * 0.8) :]

    def rows(part, colour):
        return np.flatnonzero((np.abs(part - colour).max(-1) < 4).any(1))

    green, red = rows(last, (80, 152, 26)), rows(last, (28, 26, 227))
    assert len(green) > 20 and len(red) > 20 and green.max() < red.min()
    true = picture[:, int(picture.shape[1] * 0.2) : int(picture.shape[1] * 0.4)]
    assert len(rows(true, (200, 20, 10))) > 40
