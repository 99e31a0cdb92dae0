"""The benchmarks run and compare what they say; their figures are not tested."""

import re
import subprocess
import sys

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
