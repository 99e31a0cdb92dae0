"""The figure of scores against cost shows the front and every candidate."""

import re

import cv2
import pytest

from mmdetxfer.plots import CostPoint, draw_score_against_cost, pareto_front


def points():
    """Two of equal cost, one that costs more for less, one that costs nothing."""
    return [
        CostPoint('late', 4e12, 0.3),
        CostPoint('cls', 2e12, 0.4, 0.35, 0.5),
        CostPoint('det', 2e12, 0.2),
        CostPoint('none', 0, 0.1),
        CostPoint('best', 100e12, 0.6, 0.5, 0.7),
    ]


def test_the_front_is_what_no_other_beats_for_its_cost():
    assert [one.name for one in pareto_front(points())] == ['none', 'cls', 'best']
    same = [CostPoint('a', 1, 0.5), CostPoint('b', 1, 0.5), CostPoint('c', 2, 0.5)]
    assert [one.name for one in pareto_front(same)] == ['a']
    assert pareto_front([]) == []


@pytest.fixture
def drawn(monkeypatch):
    from matplotlib.axes import Axes

    calls = {'step': [], 'errorbar': [], 'set_xscale': [], 'set_xlabel': []}
    for name, seen in calls.items():
        original = getattr(Axes, name)

        def watched(self, *args, _original=original, _seen=seen, **options):
            _seen.append((args, options))
            return _original(self, *args, **options)

        monkeypatch.setattr(Axes, name, watched)
    return calls


def test_points_have_their_intervals_and_the_front_its_steps(tmp_path, drawn):
    """In tera: 0, 2 and 100, the last score on to the largest cost."""
    draw_score_against_cost(points(), tmp_path / 'cost', 'mAP', '95 %')
    (((costs, scores), _),) = drawn['step']
    assert costs == [0, 2, 100, 100] and scores == [0.1, 0.4, 0.6, 0.6]
    bars = {options['label']: options['yerr'] for _, options in drawn['errorbar']}
    assert bars['late'] is bars['none'] is None
    assert bars['cls'] == [[pytest.approx(0.05)], [pytest.approx(0.1)]]
    assert drawn['errorbar'][1][0] == ([2], [0.4])
    (((scale,), options),) = drawn['set_xscale']
    assert scale == 'symlog' and options == {'linthresh': 2}
    assert cv2.imread(str(tmp_path / 'cost.png')) is not None
    said = re.findall(r'<!-- (.*?) -->', (tmp_path / 'cost.svg').read_text())
    assert 'cost of pre-training and transfer, tera-multiply-adds' in said
    assert {'mAP', 'bars: 95 %', 'late', 'best', '100'} <= set(said)


def test_axes_suit_the_costs(tmp_path, drawn, monkeypatch):
    """Fourfold: as it is; fiftyfold without a zero: logarithmic."""
    from matplotlib.figure import Figure

    monkeypatch.setattr(Figure, 'savefig', lambda self, path, dpi: None)
    draw_score_against_cost(points()[:3], tmp_path / 'a', 'mAP')
    assert drawn['set_xscale'] == []
    draw_score_against_cost([*points()[:3], points()[4]], tmp_path / 'a', 'mAP')
    assert drawn['set_xscale'][0][0] == ('log',)
    draw_score_against_cost([CostPoint('a', 0, 0.5)], tmp_path / 'a', 'mAP', '95 %')
    labels = [args[0] for args, _ in drawn['set_xlabel']]
    assert labels[0].endswith('tera-multiply-adds')
    assert labels[2] == 'cost of pre-training and transfer, multiply-adds'


def test_bars_are_explained_only_where_there_are_any(tmp_path):
    draw_score_against_cost([CostPoint('a', 0, 0.5)], tmp_path / 'a', 'mAP', '95 %')
    assert 'bars: 95 %' not in (tmp_path / 'a.svg').read_text()
    draw_score_against_cost([], tmp_path / 'nothing', 'mAP')
    assert not (tmp_path / 'nothing.png').exists()
