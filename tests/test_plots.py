"""Figures show what the records say."""

import re

import cv2
import pytest

from mmdetxfer.plots import draw_iou_curves


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
    assert cv2.imread(str(tmp_path / 'figure.png')).shape == (600, 825, 3)
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
