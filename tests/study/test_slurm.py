"""Cells as jobs of a real Slurm, where there is one (``one_node_slurm.sh``)."""

import importlib.util
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_tool import KEYS, toy_plan

from mmdetxfer.study.cell import Launch
from mmdetxfer.study.machine import default_jobs
from mmdetxfer.study.records import read_records
from mmdetxfer.study.snakefile import Settings, resources_of

TOOL = Path(__file__).with_name('toy_tool.py')
# squeue answers without a data base of accounts.
ARGUMENTS = '--slurm-no-account --slurm-status-command squeue'.split()
ARGUMENTS += ['--slurm-init-seconds-before-status-checks', '5']


def missing() -> str | None:
    """Return what a Slurm lacks here, None if nothing."""
    if shutil.which('sinfo') is None:
        return 'no Slurm is installed (tests/study/one_node_slurm.sh says how)'
    done = subprocess.run(['sinfo', '--noheader'], capture_output=True, timeout=60)
    if done.returncode != 0 or not done.stdout.strip():
        return 'Slurm does not answer (tests/study/one_node_slurm.sh starts it)'
    if importlib.util.find_spec('snakemake_executor_plugin_slurm') is None:
        return 'the extra study-slurm is not installed'
    return None


@pytest.fixture(scope='module')
def slurm():
    """Nothing; but a test without a Slurm is skipped, and says why."""
    reason = missing()
    if reason:
        pytest.skip(reason)


def begin(folder):
    return subprocess.Popen(
        [sys.executable, str(TOOL), 'run', str(folder), 'slurm', *ARGUMENTS],
        stdout=open(folder / 'printed.txt', 'w'),
        stderr=subprocess.STDOUT,
    )


def jobs() -> str:
    done = subprocess.run(['squeue', '--noheader'], capture_output=True, text=True)
    return done.stdout.strip()


def test_a_study_runs_as_jobs(slurm, tmp_path):
    assert begin(tmp_path).wait(timeout=180) == 0, (
        tmp_path / 'printed.txt'
    ).read_text()
    for key in KEYS:
        records = read_records(tmp_path / 'cells' / key / 'records.jsonl')
        assert records[1]['value'] == 28
    assert len(list((tmp_path / 'cells').glob('*/trace.txt'))) == 3


def test_a_termination_cancels_the_jobs(slurm, tmp_path):
    process = begin(tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob('cells/*/trace.txt')):
        assert time.monotonic() < deadline, 'no job began'
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    deadline = time.monotonic() + 30
    while jobs():
        assert time.monotonic() < deadline, jobs()
        time.sleep(0.5)


def test_a_job_asks_for_what_its_launch_needs(tmp_path):
    """Two ranks with a GPU each, and room for both and for two loaders of each."""
    config = tmp_path / 'config.py'
    config.write_text(
        'train_dataloader = dict(num_workers=1)\n'
        'val_dataloader = [dict(), dict(num_workers=2)]\n'
    )
    plan = toy_plan(tmp_path)
    launch = Launch(launcher='slurm', gpus=2)
    assert resources_of(Settings('slurm', launch), plan) == dict(
        mem_mb=32_000, cpus_per_task=3, gres='gpu:2', tasks=2
    )
    # Both in one task.
    launch = Launch(launcher='pytorch', gpus=2)
    assert resources_of(Settings('slurm', launch), plan) == dict(
        mem_mb=32_000, cpus_per_task=6, gres='gpu:2'
    )
    found = resources_of(Settings('slurm'), plan)
    assert found == dict(mem_mb=16_000, cpus_per_task=3)
    assert resources_of(Settings('local', launch), plan) == {}
    assert default_jobs(plan, 2, 'slurm') == 100
