"""The benchmarks run and compare what they say; their figures are not tested."""

import re
import subprocess
import sys

from tool_runner import REPOSITORY

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


def test_making_chips_is_measured_for_each_plan_and_scale():
    command = [sys.executable, str(BENCHMARKS / 'chip_pipeline.py'), '--images', '1']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r'│ +all +│ +\d+ +│ +\d+\.\d\d +│', done.stdout)) == 3
    assert len(re.findall(r'│ x \d\.\d\d +│', done.stdout)) == 8
