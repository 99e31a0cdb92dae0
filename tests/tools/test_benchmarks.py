"""The benchmarks run and compare what they say; their figures are not tested."""

import re
import sys

import numpy as np
import pytest
from tool_runner import REPOSITORY

from mmdetxfer.errors import UserError

BENCHMARKS = REPOSITORY / 'tools' / 'benchmarks'


@pytest.fixture
def benchmark(tools, tmp_path):
    """A function that runs a benchmark and returns what it printed."""

    def run(name, *words, fails=False):
        ended = tools(f'benchmarks/{name}', *words, cwd=tmp_path, fails=fails)
        assert ended.code == int(fails)
        return ended.printed

    return run


def test_planning_in_batches_is_compared_with_equal_plans_in_plain_python(benchmark):
    words = ('--plans', 5, '--images', 2000, '--threads', 1)
    printed = benchmark('chip_planning.py', *words)
    assert re.search(r'ratio +│ \d+', printed)
    assert re.search(r'2,000 images, 2 scales, 1 threads │ .* s, [\d,]+ chips', printed)


def test_plans_that_differ_from_plain_python_stop_the_benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import chip_planning

    monkeypatch.setattr(chip_planning, 'plain_plan', lambda *arguments: [(0, 0, 1, 1)])
    with pytest.raises(UserError, match=r'image 0: .* in batches, .* in plain Python'):
        chip_planning.against_plain_python(1)


def test_making_chips_is_measured_for_each_plan_and_scale(benchmark):
    printed = benchmark('chip_pipeline.py', '--images', 1)
    assert len(re.findall(r'│ +all +│ +\d+ +│ +\d+\.\d\d +│', printed)) == 3
    assert len(re.findall(r'│ x \d\.\d\d +│', printed)) == 8


def test_reading_openimages_is_compared_with_mmdets_reader(benchmark):
    printed = benchmark('openimages_reading.py', '--images', 300, '--part', 100)
    for name in ('CSV to cache', 'first item, warm cache'):
        assert re.search(rf'{name} +│ \d+\.\d\d +│ \d+\.\d\d +│ [\d,]+ ', printed)
    assert 'each of four workers that read 20,000 items has at most' in printed


def test_ap_at_all_thresholds_is_compared_with_equal_ap_of_mmdet(benchmark):
    words = ('voc_sweep.py', '--images', 30, '--detections', 20, '--resamples')
    printed = benchmark(*words, 5)
    assert re.search(r'ratio +│ \d+', printed)
    assert re.search(r'5 resamples of two models, 18 differences +│ .* s', printed)
    printed = benchmark(*words, 1, fails=True)
    assert 'expected two images, a detection and two resamples' in printed


def test_other_ap_than_mmdets_stops_the_benchmark(monkeypatch):
    """Area may differ by single precision, eleven points by one of the eleven."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import voc_sweep

    equal = dict(area=np.full((2, 2), 0.5), eleven=np.full((2, 2), 0.5))
    rounded = dict(equal, eleven=np.array([[0.5, 0.58], [0.5, 0.5]]))
    assert voc_sweep.check_equal(equal, equal) == 0
    assert voc_sweep.check_equal(equal, rounded) == 1
    undefined = dict(equal, area=np.array([[0.5, np.nan], [0.5, 0.5]]))
    assert voc_sweep.check_equal(undefined, dict(equal, area=equal['area'].copy())) == 0
    with pytest.raises(UserError, match='expected equal values, got nan'):
        voc_sweep.check_equal(equal, undefined)
    with pytest.raises(UserError, match='AP by area: expected equal values, got 0.01'):
        voc_sweep.check_equal(equal, dict(equal, area=np.full((2, 2), 0.51)))
    with pytest.raises(UserError, match='by the rounding of recalls at most, got 0.1'):
        voc_sweep.check_equal(equal, dict(equal, eleven=np.full((2, 2), 0.6)))


def test_coverage_is_counted_for_every_case(benchmark):
    words = ('interval_coverage.py', '--repetitions', 3, '--map-repetitions')
    printed = benchmark(*words, 1)
    assert len(re.findall(r'│ (?:mean|mAP) .*%', printed)) == 10
    assert 'expected 1 repetition or more' in benchmark(*words, 0, fails=True)


def test_drawn_candidates_are_equally_good_and_seeds_vary_as_told(monkeypatch):
    """With seeds of thrice the noise of an image's mean the variance is 9 times it.

    An image's mean over 150 has the deviation 1 / sqrt(150); other noise adds 0.25.
    """
    monkeypatch.syspath_prepend(BENCHMARKS)
    import interval_coverage

    rng = np.random.default_rng(0)
    scores = np.array([interval_coverage.draw_means(rng, 5, 3)[0] for _ in range(200)])
    within = scores.var(axis=2, ddof=1).mean() * interval_coverage.NUM_IMAGES
    assert within == pytest.approx(9.25, rel=0.1)
    assert abs((scores[:, 0] - scores[:, 1]).mean()) < 0.05


def test_bands_are_compared_with_equal_counts_by_dilations(benchmark, monkeypatch):
    words = ('trimap_speed.py', '--tests', 1, '--images')
    printed = benchmark(*words, 2)
    assert re.search(r'ratio of the first two +│ \d+', printed)
    assert re.search(r'what the metric adds there +│ -?\d', printed)
    assert '--images: expected 1 or more' in benchmark(*words, 0, fails=True)
    monkeypatch.syspath_prepend(BENCHMARKS)
    import trimap_speed

    monkeypatch.setattr(trimap_speed, 'by_dilations', lambda *maps: np.zeros(3))
    monkeypatch.setattr(sys, 'argv', ['trimap_speed.py', '--images', '1'])
    with pytest.raises(UserError, match='expected equal counts by dilations and by'):
        trimap_speed.main.__wrapped__()


def test_an_extraction_is_timed_beside_the_bare_forward_pass(benchmark):
    words = ('--size', 64, '--batch-size', 2, '--rounds', 1, '--images')
    printed = benchmark('extraction_speed.py', *words, 2)
    (ratio,) = re.findall(r'ratio of the times (\d+\.\d+) ', printed)
    assert float(ratio) > 0
    printed = benchmark('extraction_speed.py', *words, 0, fails=True)
    assert '64 pixels or more, got 0, 2, 1, 64' in printed


def test_memory_is_what_is_held_at_most_since_it_was_looked_at(monkeypatch):
    """100 MiB before, and 50 since."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import probe_speed

    np.ones(100 << 17).sum()
    held = probe_speed.forget_peak()
    np.ones(50 << 17).sum()
    assert 45 < probe_speed.memory_mib('VmHWM') - held < 60
    assert abs(probe_speed.memory_mib('VmRSS') - held) < 20


def test_probes_are_timed_beside_scikit_learns(benchmark):
    """On a small set: as good as its to a millionth, by its own objective."""
    words = ('probe_speed.py', '--path', '--images', 300, '--features', 16)
    words += ('--classes', 4, '--threads', 1, '--strengths')
    printed = benchmark(*words, 2)
    worse = re.findall(r'│ ([+-]\d\.\de[+-]\d+) ', printed)
    assert len(worse) == 2 and all(float(one) < 1e-6 for one in worse)
    found = ' '.join(printed.split())
    assert re.search(r'is \d+\.\d times faster \(\d+\.\d by processors\)', found)
    assert re.search(r'choice among \d+ of 45 strengths and refit: \d+ s', found)
    assert 'expected 2 to 25 strengths' in benchmark(*words, 1, fails=True)
