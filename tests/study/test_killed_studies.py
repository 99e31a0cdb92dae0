"""A study is killed at random moments and begun again; its records are as if never.

Real processes, locks and Snakemake; the work of a cell, ``toy_tool.py``, counts.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import killed_study
import pytest
from killed_study import (
    KINDS,
    TRAINING,
    differing,
    kill,
    made_again,
    processes_of,
    wait_for,
)
from toy_tool import KEYS, STEPS

from mmdetxfer.study.records import read_records, without_volatile

TOOL = Path(__file__).with_name('toy_tool.py')
WORK = 'toy_tool.py'
SECONDS = 60


def begin(folder: Path) -> subprocess.Popen:
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(TOOL), 'run', str(folder)],
        stdout=open(folder / 'printed.txt', 'a'),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def trainers(folder: Path) -> list[int]:
    own = killed_study.trainers(folder / 'cells', WORK)
    return [pid for pid, words in own.items() if 'run' not in words]


def kill_in(folder: Path, process: subprocess.Popen, what: str) -> None:
    """Kill; the call of the toy has the name of its trainings."""
    if what == TRAINING:
        os.kill(random.choice(trainers(folder)), signal.SIGKILL)
    else:
        kill(folder, process, what)


def is_working(folder: Path, process: subprocess.Popen) -> bool:
    return bool(trainers(folder)) or process.poll() is not None


def found_in(folder: Path) -> dict[str, list[dict]]:
    return {
        key: without_volatile(read_records(folder / 'cells' / key / 'records.jsonl'))
        for key in KEYS
    }


def finish(folder: Path, process: subprocess.Popen | None = None) -> None:
    process = process or begin(folder)
    code = process.wait(timeout=SECONDS)
    assert code == 0, (folder / 'printed.txt').read_text()[-2000:]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A study that nobody disturbed."""
    folder = tmp_path_factory.mktemp('whole')
    finish(folder)
    return folder


def test_cells_run_in_order_each_once(whole):
    """Of 0 to 7 the sum is 28."""
    found = found_in(whole)
    assert [rows[1]['value'] for rows in found.values()] == [sum(range(STEPS))] * 3
    for key in KEYS:
        traces = (whole / 'cells' / key / 'trace.txt').read_text().splitlines()
        assert len(traces) == 1 and traces[0].endswith('from 0')
        assert json.loads((whole / 'cells' / key / 'done.json').read_text())
    assert found['aaaa'][0]['threads'] == '1'
    printed = (whole / 'printed.txt').read_text()
    assert '3 cells, 0 of them done before' in printed
    for key in KEYS:
        for word in ('begun: ', 'done:  '):
            assert f'  {word} {key} pretrain one stage 1 seed 0' in printed
    # A cell took a second by its own word: two cells or one, two at a time.
    assert 'about 0 min left' in printed and '3 of 3\n' in printed


def test_damaged_records_are_made_again(whole, tmp_path):
    """Snakemake sees the mark of a cell alone, which is taken away."""
    shutil.copytree(whole, tmp_path / 'again')
    folder = tmp_path / 'again'
    path = folder / 'cells/bbbb/records.jsonl'
    path.write_text(path.read_text().splitlines()[0] + '\n')
    finish(folder)
    assert found_in(folder) == found_in(whole)
    counts = {
        key: len((folder / f'cells/{key}/trace.txt').read_text().splitlines())
        for key in KEYS
    }
    assert counts == dict(aaaa=1, bbbb=2, cccc=1)


def test_who_is_waited_for_is_told(tmp_path):
    """A training that a killed study left works on."""
    first = begin(tmp_path)
    wait_for(lambda: trainers(tmp_path), 'no cell began')
    first.kill()
    first.wait()
    finish(tmp_path)
    assert (
        'at work, left by an earlier call or of another study, and waited for'
        in (tmp_path / 'printed.txt').read_text()
    )


@pytest.mark.parametrize('what', KINDS)
def test_a_killed_study_ends_as_if_it_had_not_been(whole, tmp_path, what):
    """Twice, at random moments of its cells' work."""
    for _ in range(2):
        process = begin(tmp_path)
        wait_for(partial(is_working, tmp_path, process), 'no cell began')
        time.sleep(random.uniform(0, 1.2))
        if process.poll() is None and trainers(tmp_path):
            kill_in(tmp_path, process, what)
        # Its children may live on; of itself nothing is left.
        process.wait(timeout=SECONDS)
    finish(tmp_path)
    assert found_in(tmp_path) == found_in(whole)
    assert not list(tmp_path.glob('cells/*/two_at_once'))
    for key in KEYS:
        steps = [
            int(line.rpartition(' ')[2])
            for line in (tmp_path / f'cells/{key}/trace.txt').read_text().splitlines()
        ]
        # It went on where it was, and was never begun again once it had ended.
        assert steps == sorted(steps) and steps.count(0) <= 3 and STEPS not in steps
    before = {path: path.read_text() for path in tmp_path.glob('cells/*/trace.txt')}
    finish(tmp_path)
    assert before == {path: path.read_text() for path in before}


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_termination_reaches_every_process_within_seconds(tmp_path, number):
    process = begin(tmp_path)
    wait_for(lambda: trainers(tmp_path), 'no cell began')
    process.send_signal(number)
    process.wait(timeout=20)
    wait_for(lambda: not processes_of(tmp_path), f'left: {processes_of(tmp_path)}')
    assert process.returncode == 128 + number


def test_a_second_run_of_a_study_is_refused(tmp_path):
    first = begin(tmp_path)
    wait_for(lambda: trainers(tmp_path), 'no cell began')
    second = begin(tmp_path)
    assert second.wait(timeout=SECONDS) != 0
    assert (
        'another run of this study works there'
        in (tmp_path / 'printed.txt').read_text()
    )
    finish(tmp_path, first)


def test_a_training_that_a_killed_call_left_is_waited_for_and_said(tmp_path):
    """It stands still, so that it is surely there when the next call begins."""
    process = begin(tmp_path)
    notes = [tmp_path / 'cells' / key / 'running.json' for key in ('aaaa', 'cccc')]
    wait_for(lambda: all(path.is_file() for path in notes), 'no cell began')
    left = json.loads(notes[0].read_text())['pid']
    os.kill(left, signal.SIGSTOP)
    for pid in processes_of(tmp_path):
        if pid != left:
            os.kill(pid, signal.SIGKILL)
    process.wait(timeout=SECONDS)
    again, log = begin(tmp_path), tmp_path / 'study' / 'snakemake.log'
    said = f'process {left} on'
    wait_for(lambda: log.is_file() and said in log.read_text(), 'nothing was said')
    os.kill(left, signal.SIGCONT)
    finish(tmp_path, again)
    assert 'waiting for it' in log.read_text()
    assert not list(tmp_path.glob('cells/*/two_at_once'))
    assert [len(own) for own in found_in(tmp_path).values()] == [2, 2, 2]


def test_a_cell_that_fails_says_why_and_the_rest_goes_on(tmp_path):
    (tmp_path / 'cells').mkdir()
    (tmp_path / 'cells' / 'aaaa_fails').touch()
    process = begin(tmp_path)
    assert process.wait(timeout=SECONDS) == 1
    failed = json.loads((tmp_path / 'cells/aaaa/failed.json').read_text())
    assert failed['reason'] == 'it was told to fail' and failed['code'] == 1
    assert failed['log'][-1] == 'error: it was told to fail'
    assert (tmp_path / 'cells/cccc/done.json').is_file()
    assert not (tmp_path / 'cells/bbbb/done.json').is_file()
    (tmp_path / 'cells' / 'aaaa_fails').unlink()
    finish(tmp_path)
    assert not (tmp_path / 'cells/aaaa/failed.json').is_file()


def test_out_of_memory_is_tried_once_more_with_half_the_batch(tmp_path):
    (tmp_path / 'cells').mkdir()
    (tmp_path / 'cells' / 'no_memory').touch()
    finish(tmp_path)
    for key, (head, *_) in found_in(tmp_path).items():
        assert head['is_batch_halved'], key
        assert (tmp_path / f'cells/{key}/halved.json').is_file()


def test_what_is_wrong_with_a_killed_study_is_said():
    """Made again, gone, other records, no records."""
    before = dict(a=1, b=2, c=3)
    assert made_again(before, dict(a=1, b=5)) == [
        'b was done, and made again',
        'c was done, and made again',
    ]
    assert made_again(before, {**before, 'd': 9}) == []
    rows = dict(a=[dict(value=1)], b=[])
    assert differing(rows, dict(rows)) == []
    other = dict(a=[dict(value=2)], c=[])
    assert [one[0] for one in differing(rows, other)] == ['a', 'b', 'c']


def test_two_trainings_in_one_cell_are_seen(tmp_path):
    cell = tmp_path / 'cells' / 'aaaa'
    cell.mkdir(parents=True)
    # A training and its loader, which has the same command line.
    program = 'import os, time; os.fork(); time.sleep(60)'
    command = [sys.executable, '-c', program, killed_study.WORK, str(cell)]
    watch = killed_study.Watch(tmp_path)
    watch.start()
    begun = [subprocess.Popen(command, start_new_session=True)]
    time.sleep(0.5)
    assert not watch.twice
    begun.append(subprocess.Popen(command, start_new_session=True))
    wait_for(lambda: watch.twice, 'it was not seen')
    for one in begun:
        os.killpg(one.pid, signal.SIGKILL)
        one.wait()
    watch.is_over.set()
    watch.join()
    assert watch.twice == {str(cell)} and watch.is_whole
