"""The benchmarks run and compare what they say; their figures are not tested."""

import re
import subprocess
import sys

import numpy as np
import pytest
from tool_runner import REPOSITORY

from mmdetxfer.errors import UserError

BENCHMARKS = REPOSITORY / 'tools' / 'benchmarks'


def test_planning_in_batches_is_compared_with_equal_plans_in_plain_python():
    command = [sys.executable, str(BENCHMARKS / 'chip_planning.py')]
    command += ['--plans', '5', '--images', '2000', '--threads', '1']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r'ratio +│ \d+', done.stdout)
    assert re.search(
        r'2,000 images, 2 scales, 1 threads │ .* s, [\d,]+ chips', done.stdout
    )


def test_plans_that_differ_from_plain_python_stop_the_benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import chip_planning

    monkeypatch.setattr(chip_planning, 'plain_plan', lambda *arguments: [(0, 0, 1, 1)])
    with pytest.raises(UserError, match=r'image 0: .* in batches, .* in plain Python'):
        chip_planning.against_plain_python(1)


def test_making_chips_is_measured_for_each_plan_and_scale():
    command = [sys.executable, str(BENCHMARKS / 'chip_pipeline.py'), '--images', '1']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r'│ +all +│ +\d+ +│ +\d+\.\d\d +│', done.stdout)) == 3
    assert len(re.findall(r'│ x \d\.\d\d +│', done.stdout)) == 8


def test_reading_openimages_is_compared_with_mmdets_reader():
    command = [sys.executable, str(BENCHMARKS / 'openimages_reading.py')]
    command += ['--images', '300', '--part', '100']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ('CSV to cache', 'first item, warm cache'):
        assert re.search(rf'{name} +│ \d+\.\d\d +│ \d+\.\d\d +│ [\d,]+ ', done.stdout)
    assert 'each of four workers that read 20,000 items has at most' in done.stdout


def test_ap_at_all_thresholds_is_compared_with_equal_ap_of_mmdet():
    command = [sys.executable, str(BENCHMARKS / 'voc_sweep.py'), '--images', '30']
    command += ['--detections', '20', '--resamples', '5']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r'ratio +│ \d+', done.stdout)
    assert re.search(r'5 resamples of two models, 18 differences +│ .* s', done.stdout)
    command[-1] = '1'
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'expected two images, a detection and two resamples' in done.stderr


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


def test_coverage_is_counted_for_every_case():
    command = [sys.executable, str(BENCHMARKS / 'interval_coverage.py')]
    command += ['--repetitions', '3', '--map-repetitions', '1']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r'│ (?:mean|mAP) .*%', done.stdout)) == 10
    command[-1] = '0'
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and 'expected 1 repetition or more' in done.stderr


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


def test_bands_are_compared_with_equal_counts_by_dilations(monkeypatch):
    command = [sys.executable, str(BENCHMARKS / 'trimap_speed.py'), '--tests', '1']
    command += ['--images', '2']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r'ratio of the first two +│ \d+', done.stdout)
    assert re.search(r'what the metric adds there +│ -?\d', done.stdout)
    command[-1] = '0'
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and '--images: expected 1 or more' in done.stderr
    monkeypatch.syspath_prepend(BENCHMARKS)
    import trimap_speed

    monkeypatch.setattr(trimap_speed, 'by_dilations', lambda *maps: np.zeros(3))
    monkeypatch.setattr(sys, 'argv', ['trimap_speed.py', '--images', '1'])
    with pytest.raises(UserError, match='expected equal counts by dilations and by'):
        trimap_speed.main.__wrapped__()


def test_an_extraction_is_timed_beside_the_bare_forward_pass():
    command = [sys.executable, str(BENCHMARKS / 'extraction_speed.py')]
    words = ['--images', '2', '--size', '64', '--batch-size', '2', '--rounds', '1']
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (ratio,) = re.findall(r'ratio of the times (\d+\.\d+) ', done.stdout)
    assert float(ratio) > 0
    words[1] = '0'
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 1 and '64 pixels or more, got 0, 2, 1, 64' in done.stderr


def test_memory_is_what_is_held_at_most_since_it_was_looked_at(monkeypatch):
    """100 MiB before, and 50 since."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import probe_speed

    np.ones(100 << 17).sum()
    held = probe_speed.forget_peak()
    np.ones(50 << 17).sum()
    assert 45 < probe_speed.memory_mib('VmHWM') - held < 60
    assert abs(probe_speed.memory_mib('VmRSS') - held) < 20


def test_probes_are_timed_beside_scikit_learns():
    """On a small set: as good as its to a millionth, by its own objective."""
    command = [sys.executable, str(BENCHMARKS / 'probe_speed.py'), '--path']
    command += ['--images', '300', '--features', '16', '--classes', '4']
    command += ['--threads', '1', '--strengths', '2']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    worse = re.findall(r'│ ([+-]\d\.\de[+-]\d+) ', done.stdout)
    assert len(worse) == 2 and all(float(one) < 1e-6 for one in worse)
    printed = ' '.join(done.stdout.split())
    assert re.search(r'is \d+\.\d times faster \(\d+\.\d by processors\)', printed)
    assert re.search(r'choice among \d+ of 45 strengths and refit: \d+ s', printed)
    command[-1] = '1'
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and 'expected 2 to 25 strengths' in done.stderr
