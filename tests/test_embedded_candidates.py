"""tools/embedded_candidates.sh, with a Python that writes what trainings would."""

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
# Notes its call; a training leaves the checkpoints of its last epoch.
PYTHON = """#!/bin/sh
echo "$* threads $OMP_NUM_THREADS" >>calls
case "$*" in *"$FAIL_AT"*) echo 'the reason'; exit 3 ;; esac
case "$*" in *"$SLOW_AT"*) echo $$ >>slow; exec sleep 60 ;; esac
case "$1" in *hash_configs.py)
    shift
    for config; do echo "$HASH  $config"; done ;;
esac
while [ $# -gt 0 ]; do
    if [ "$1" = --work-dir ]; then
        for last in "$2/epoch_4.pth" "$2/epoch_21.pth"; do
            touch "$last" "$last.sha256"
        done
    fi
    shift
done
"""
CANDIDATES = [
    f'{name}/seed_{seed}'
    for name in ('cls', 'det', 'cls-det', 'cls-longer')
    for seed in range(3)
]


@pytest.fixture
def checkout(tmp_path):
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    (tmp_path / 'tools').mkdir()
    shutil.copy(REPOSITORY / 'tools' / 'embedded_candidates.sh', tmp_path / 'tools')
    return tmp_path


def environment(fail_at='nowhere', slow_at='nowhere', config_hash='a hash'):
    named = dict(FAIL_AT=fail_at, SLOW_AT=slow_at, HASH=config_hash)
    return {'PATH': os.environ['PATH'], **named}


def run(root, *arguments, code=0, **settings):
    done = subprocess.run(
        ['bash', str(root / 'tools' / 'embedded_candidates.sh'), *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def trainings(root):
    lines = (root / 'calls').read_text().splitlines()
    return [line for line in lines if line.startswith('tools/train.py')]


def test_every_candidate_and_seed_is_trained_once(checkout):
    """The files of the embedded comparison are those that the configs name."""
    said = run(checkout)
    calls = trainings(checkout)
    assert len(calls) == 12 and all(line.endswith(' threads 1') for line in calls)
    folder = checkout / 'work_dirs/embedded_candidates'
    found = {str(p.parent.relative_to(folder)) for p in folder.rglob('epoch_4*')}
    assert found == set(CANDIDATES)
    for line in calls:
        words = line.split()
        config = REPOSITORY / words[1]
        assert config.is_file() and '--resume' in words
        seed = words[words.index('--work-dir') + 1][-1]
        assert f'randomness.seed={seed}' in words
        is_second = 'cls-det' in line or 'cls-longer' in line
        folder_of_first = f'work_dirs/embedded_candidates/cls/seed_{seed}'
        first = f'load_from={folder_of_first}/epoch_21.pth'
        assert (first in words) == is_second
    # What begins with another candidate comes behind it.
    assert all('load_from' in line for line in calls[-6:])
    assert 'the embedded candidates are in' in said
    run(checkout, '1')
    assert len(trainings(checkout)) == 12


def test_a_training_that_fails_is_named_and_the_next_call_goes_on(checkout):
    said = run(checkout, fail_at='det/seed_1', code=1)
    assert 'det, seed 1: failed; the end of work_dirs/' in said and 'the reason' in said
    # Nothing that might need it is begun.
    assert not any('cls-det' in line for line in trainings(checkout))
    run(checkout)
    assert len(trainings(checkout)) == 6 + 1 + 6


def test_what_other_configs_made_is_refused(checkout):
    """Another config, or another first stage."""
    run(checkout)
    said = run(checkout, config_hash='another', code=1)
    assert 'seed_0 was made by another config or first stage; remove it' in said
    first = 'work_dirs/embedded_candidates/cls/seed_0/epoch_21.pth'
    (checkout / first).write_text('others')
    said = run(checkout, code=1)
    assert 'cls-det/seed_0 was made by another' in said and 'det/seed_1' not in said


def is_running(number):
    """Return whether a process runs; one that nobody has waited for does not."""
    try:
        stat = Path(f'/proc/{number}/stat').read_text()
    except OSError:
        return False
    return stat.rpartition(')')[2].split()[0] != 'Z'


def test_a_killed_call_leaves_no_training_behind(checkout):
    """Two trainings run, more would follow; all end with the script."""
    command = ['bash', str(checkout / 'tools' / 'embedded_candidates.sh')]
    with subprocess.Popen(
        command,
        env=environment(slow_at='train.py'),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as script:
        slow = checkout / 'slow'
        until = time.monotonic() + 60
        while not slow.is_file() or len(slow.read_text().split()) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        script.terminate()
        assert script.wait(timeout=30) == 1
    time.sleep(1)
    numbers = [int(one) for one in slow.read_text().split()]
    assert len(numbers) == 2
    assert not any(map(is_running, numbers))
    # Nothing holds the lock any more.
    run(checkout)


def test_two_calls_at_once_and_senseless_numbers_are_refused(checkout):
    assert "expected a number of jobs, got 'many'" in run(checkout, 'many', code=1)
    folder = checkout / 'work_dirs/embedded_candidates'
    folder.mkdir(parents=True)
    with open(folder / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert 'wait for them, or kill them' in run(checkout, code=1)
