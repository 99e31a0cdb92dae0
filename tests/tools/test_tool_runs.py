"""What the benchmarks that train are run by."""

import fcntl
import signal
import subprocess
import threading
import time

import pytest
from tool_runner import REPOSITORY

from mmdetxfer.errors import UserError


@pytest.fixture
def runs(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'tools' / 'benchmarks')
    import tool_runs

    monkeypatch.setattr(signal, 'signal', lambda *_: None)
    yield tool_runs
    end_of(tool_runs)


def end_of(runs):
    """What the end of the program does: it gives the folders back."""
    while runs._held:
        runs._held.pop().close()


def test_a_tool_that_fails_is_named_with_its_log(runs, tmp_path):
    log = tmp_path / 'log.txt'
    with pytest.raises(UserError, match='train.py failed with exit code 1; see .*log'):
        runs.run_tool('train.py', ['none.py'], log)
    assert 'config not found' in log.read_text()


def test_a_folder_is_held_alone_by_trainings_too(runs, tmp_path, monkeypatch):
    """A training of a killed call inherits the lock; given back, it is free again."""
    runs.hold(tmp_path)
    locks = [lock.fileno() for lock in runs._held]
    trainer = subprocess.Popen(['sleep', '60'], pass_fds=locks)
    end_of(runs)
    with pytest.raises(UserError, match='wait for them, or kill them'):
        runs.hold(tmp_path)
    trainer.kill()
    trainer.wait()
    runs.hold(tmp_path)
    with open(tmp_path / '.lock', 'w') as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_termination_ends_the_trainings(runs, monkeypatch):
    process = subprocess.Popen(['sleep', '60'])
    monkeypatch.setattr(runs, '_running', {process})
    with pytest.raises(SystemExit):
        runs._stop()
    assert process.wait(timeout=10) == -signal.SIGTERM


def test_results_of_other_settings_are_refused(runs, tmp_path):
    """What is new in the settings counts as another, too."""
    runs.keep_settings(tmp_path, dict(config='a', options=['b']))
    runs.keep_settings(tmp_path, dict(config='a', options=['b']))
    with pytest.raises(UserError, match='results of another config and options; rem'):
        runs.keep_settings(tmp_path, dict(config='b', options=[]))
    with pytest.raises(UserError, match='results of another seed; remove'):
        runs.keep_settings(tmp_path, dict(config='a', options=['b'], seed=1))


def test_all_are_run_as_many_at_a_time_as_said(runs):
    """Three that wait for each other end only if run at once; with one job none are."""
    barrier = threading.Barrier(3, timeout=30)

    def meet(key):
        barrier.wait()
        return 2 * key

    assert runs.all_of([1, 2, 3], meet, 3) == {1: 2, 2: 4, 3: 6}
    alone = threading.Lock()

    def be_alone(key):
        assert alone.acquire(blocking=False)
        time.sleep(0.05)
        alone.release()

    runs.all_of([1, 2], be_alone, 1)


def test_when_one_fails_none_is_begun_any_more(runs):
    """Of 15 two run at a time; the first fails while the second runs."""
    begun = []

    def run(key):
        begun.append(key)
        if key == 0:
            raise UserError('the reason')
        time.sleep(0.3)
        raise UserError('later')

    with pytest.raises(UserError, match='the reason'):
        runs.all_of(range(15), run, 2)
    assert len(begun) <= 3


def test_no_job_at_all_is_refused(runs):
    with pytest.raises(UserError, match='--jobs: expected 1 or more, got 0'):
        runs.all_of([1], print, 0)
