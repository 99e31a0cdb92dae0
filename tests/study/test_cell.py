"""How a cell is started, and why it failed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from mmdetxfer.errors import UserError
from mmdetxfer.study import cell, environments, locks, running
from mmdetxfer.study.cell import Launch, is_complete
from mmdetxfer.study.cells import Plan
from mmdetxfer.study.gpus import taken_gpus
from mmdetxfer.study.locks import start_time, try_lock
from mmdetxfer.study.logs import BEGUN, log_tail, num_attempts, reason_of
from mmdetxfer.study.records import write_records

HEAD = dict(what='x', config='', seed=0, weights_sha256='', data={}, versions={})


@pytest.mark.parametrize(
    ('tail', 'code', 'reason'),
    [
        (['x', 'error: lost.pth: not found', 'y'], 1, 'lost.pth: not found'),
        (['error (rank 1): no', 'end'], 1, 'no'),
        (['Traceback', 'ValueError: seven', ''], 1, 'ValueError: seven'),
        (['training'], -9, 'ended by signal 9 (SIGKILL)'),
        ([], 3, 'exit code 3, and nothing in its log'),
    ],
)
def test_the_reason_is_one_line_out_of_the_log(tail, code, reason):
    assert reason_of(tail, code) == reason


def test_only_the_last_attempt_in_a_log_counts(tmp_path):
    lines = [f'{BEGUN} 1', 'error: old', f'{BEGUN} 2', 'a', 'b']
    (tmp_path / 'log.txt').write_text('\n'.join(lines))
    assert log_tail(tmp_path) == ['a', 'b'] and num_attempts(tmp_path) == 2
    assert log_tail(tmp_path / 'none') == [] and num_attempts(tmp_path / 'none') == 1


def test_a_cell_is_complete_with_whole_records_of_its_own(tmp_path):
    folder = tmp_path / 'abc'
    folder.mkdir()
    assert not is_complete(folder)
    write_records(folder, dict(key='abc', **HEAD), [])
    assert is_complete(folder)
    write_records(folder, dict(key='other', **HEAD), [])
    assert not is_complete(folder)
    (folder / 'records.jsonl').write_text('{"schema"')
    assert not is_complete(folder)
    write_records(folder, dict(key='abc', **HEAD), [dict(kind='score', value=1.0)])
    cell._mark_done(folder)
    assert is_complete(folder)
    # A line is lost: what is left are records still.
    path = folder / 'records.jsonl'
    whole = path.read_text()
    path.write_text(whole.splitlines()[0] + '\n')
    assert not is_complete(folder)
    path.write_text(whole)
    (folder / 'done.json').write_text('{')
    assert not is_complete(folder)


def test_a_termination_while_the_work_begins_ends_it(tmp_path):
    """It comes before the work's process is known, and is passed on when it is."""
    with pytest.raises(SystemExit) as ended, cell._passed_on() as begun:
        os.kill(os.getpid(), signal.SIGTERM)
        sleep = [sys.executable, '-c', 'import time; time.sleep(60)']
        process = subprocess.Popen(sleep, start_new_session=True)
        begun(process.pid)
    assert ended.value.code == 128 + signal.SIGTERM
    assert process.wait(timeout=5) < 0


@pytest.mark.parametrize('executor', ['local', 'slurm'])
def test_snakemake_has_the_time_to_cancel_what_slurm_runs(
    tmp_path, monkeypatch, executor
):
    """It needs a second at an interrupt; a third of one passes, or up to 20."""
    monkeypatch.setattr(running, '_PATIENCE', dict(local=0.3, slurm=20))
    script = tmp_path / 'cancels.py'
    script.write_text(
        'import pathlib, signal, time\n'
        'def cancel(*_):\n'
        '    time.sleep(1)\n'
        "    pathlib.Path('cancelled').touch()\n"
        '    raise SystemExit\n'
        'for one in (signal.SIGINT, signal.SIGTERM):\n'
        '    signal.signal(one, cancel)\n'
        "pathlib.Path('ready').touch()\n"
        'time.sleep(60)\n'
    )
    process = subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, start_new_session=True
    )
    while not (tmp_path / 'ready').exists():
        time.sleep(0.02)
    with (
        pytest.raises(SystemExit),
        running._ended_with_us(process, Plan(None, None), executor),
    ):
        os.kill(os.getpid(), signal.SIGTERM)
    process.wait(timeout=10)
    assert (tmp_path / 'cancelled').exists() == (executor == 'slurm')


def test_snakemake_heeds_interrupts_in_the_background_of_a_shell_too():
    """Where they are ignored, what is begun would ignore them as well."""
    asked = 'import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)'
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    said = []
    try:
        for heeds in (False, True):
            if heeds:
                running._heed_interrupts()
            said.append(subprocess.check_output([sys.executable, '-c', asked]))
    finally:
        signal.signal(signal.SIGINT, former)
    assert [one.strip() for one in said] == [b'True', b'False']


def command(launch, halved=False):
    return cell._command('F', launch, halved)[1:]


def test_one_process_or_one_for_each_gpu(tmp_path):
    module = ['-m', 'mmdetxfer.study.work', 'F', '--launcher']
    assert command(Launch()) == [*module, 'none']
    found = command(Launch(trusts=True), halved=True)
    assert found[-2:] == ['--halved', '--trust-checkpoint']
    found = command(Launch(launcher='pytorch', gpus=4))
    assert found[:2] == ['-m', 'torch.distributed.run']
    assert '--nproc_per_node=4' in found and '--standalone' in found
    assert found[-4:] == ['mmdetxfer.study.work', 'F', '--launcher', 'pytorch']
    srun = cell._command('F', Launch(launcher='slurm', gpus=2), False)
    assert srun[:2] == ['srun', '--ntasks=2']


def test_a_cell_runs_with_the_threads_of_its_key_and_a_free_port():
    found = environments.environment_of(dict(threads=3), '0,1')
    assert found['OMP_NUM_THREADS'] == found['MKL_NUM_THREADS'] == '3'
    assert found['CUDA_VISIBLE_DEVICES'] == '0,1' and int(found['MASTER_PORT']) > 1023
    assert found['PYTHONPATH'].split(os.pathsep)[0].endswith(str(environments._ROOT))


def test_two_cells_never_share_a_gpu(tmp_path, monkeypatch):
    """Of GPUs 3 and 5 each of two takes one; a third that needs two is refused one."""
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
    monkeypatch.delenv('SLURM_JOB_ID', raising=False)
    folder = tmp_path / 'cells' / 'a'
    folder.mkdir(parents=True)
    with taken_gpus(folder, 1) as (one, _), taken_gpus(folder, 1) as (other, held):
        assert {one, other} == {'3', '5'}
        # A child that inherits it keeps it.
        assert os.get_inheritable(held[0].fileno()) is False
    with taken_gpus(folder, 2) as (both, _):
        assert both == '3,5'
    with taken_gpus(folder, 0) as (none, _):
        assert none == ''
    with pytest.raises(UserError, match='expected 3 GPUs for a cell, this machine'):
        with taken_gpus(folder, 3):
            pass
    monkeypatch.setenv('SLURM_JOB_ID', '1')
    with taken_gpus(folder, 9) as (given, _):
        assert given is None


def test_a_cell_that_cannot_begin_says_why(tmp_path, monkeypatch):
    """More GPUs than there are, and a launcher that is not installed."""
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
    monkeypatch.delenv('SLURM_JOB_ID', raising=False)
    said = []
    for launch, reason in (
        (Launch(gpus=3), 'expected 3 GPUs for a cell, this machine shows 2'),
        (Launch(launcher='slurm'), "No such file or directory: 'srun'"),
    ):
        folder = tmp_path / 'cells' / launch.launcher
        folder.mkdir(parents=True)
        (folder / 'cell.json').write_text('{"kind": "pretrain", "threads": 1}')
        monkeypatch.setenv('PATH', '')
        assert cell.run_cell(folder, launch, said.append) == 1
        assert reason in json.loads((folder / 'failed.json').read_text())['reason']
        assert reason in said[-1]


def test_a_lock_is_held_until_its_last_holder_ends(tmp_path):
    lock = try_lock(tmp_path / 'lock')
    assert try_lock(tmp_path / 'lock') is None
    lock.close()
    again = try_lock(tmp_path / 'lock')
    assert again is not None
    again.close()


def test_a_lock_whose_folder_was_removed_is_not_had(tmp_path, monkeypatch):
    """Between the opening and the lock, and for good or for a new one."""
    folder = tmp_path / 'cell'
    flock = locks.fcntl.flock

    def removed(stream, kind):
        monkeypatch.setattr(locks.fcntl, 'flock', flock)
        shutil.rmtree(folder)
        if is_new:
            folder.mkdir()
        return flock(stream, kind)

    for is_new in (True, False):
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(locks.fcntl, 'flock', removed)
        if is_new:
            with try_lock(folder / 'lock'):
                assert try_lock(folder / 'lock') is None
        else:
            with pytest.raises(UserError, match='expected a folder, it was removed'):
                try_lock(folder / 'lock')


def test_a_process_is_known_by_its_number_and_its_start():
    assert start_time(os.getpid()) == start_time(os.getpid()) > 0
    assert start_time(2**22 + 1) is None


def test_seconds_of_failed_attempts_add_up(tmp_path):
    cell._add_spent(tmp_path, 2.5)
    cell._add_spent(tmp_path, 1.5)
    assert json.loads((tmp_path / 'spent.json').read_text()) == 4.0


def test_a_training_with_the_whole_batch_is_set_aside(tmp_path):
    (tmp_path / 'training').mkdir()
    (tmp_path / 'training' / 'epoch_1.pth').touch()
    cell._begin_halved(tmp_path)
    assert (tmp_path / 'halved.json').is_file()
    assert not (tmp_path / 'training').exists()
    assert (tmp_path / 'training_whole_batch_1' / 'epoch_1.pth').is_file()


def sleeping(**settings):
    command = [sys.executable, '-c', 'import time; time.sleep(60)']
    return subprocess.Popen(command, start_new_session=True, **settings)


def test_what_works_for_another_study_is_not_ended(tmp_path):
    """Its caller is here, and in no group of ours; without a caller it is nobody's."""
    work = sleeping()
    try:
        locks.note_running(tmp_path, work.pid)
        assert locks.has_caller(locks.running_in(tmp_path))
        running._end_own(tmp_path, group=work.pid, number=signal.SIGTERM)
        assert work.poll() is None
        assert 'works there for another study' in locks._who(tmp_path)
        note = json.loads((tmp_path / 'running.json').read_text())
        note['caller_started'] = 1
        (tmp_path / 'running.json').write_text(json.dumps(note))
        assert 'which an earlier call left' in locks._who(tmp_path)
        running._end_own(tmp_path, group=work.pid, number=signal.SIGTERM)
        assert work.wait(timeout=20) == -signal.SIGTERM
        # Nothing is left to be ended.
        running._end_own(tmp_path, group=work.pid, number=signal.SIGTERM)
    finally:
        work.kill()


def test_what_works_for_us_is_ended(tmp_path):
    work = sleeping()
    try:
        locks.note_running(tmp_path, work.pid)
        running._end_own(tmp_path, group=os.getpgid(0), number=signal.SIGTERM)
        assert work.wait(timeout=20) == -signal.SIGTERM
    finally:
        work.kill()


def test_work_has_its_threads_and_keeps_its_memory_unless_told_otherwise():
    found = environments.with_threads({'OMP_NUM_THREADS': '9', 'A': 'b'}, 2)
    assert (found['OMP_NUM_THREADS'], found['MKL_NUM_THREADS']) == ('2', '2')
    assert found['A'] == 'b' and int(found['MALLOC_TRIM_THRESHOLD_']) > 10**9
    own = {'MALLOC_TRIM_THRESHOLD_': '5'}
    assert environments.with_threads(own, 1)['MALLOC_TRIM_THRESHOLD_'] == '5'
