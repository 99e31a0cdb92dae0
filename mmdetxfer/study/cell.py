"""Runs one cell: alone in its folder, with a GPU of its own, to records or a reason.

This is the command of every rule. It takes the lock of the cell's folder (and waits for
a training that a killed call left there), returns at once when the result is whole,
runs the work in a process group of its own, keeps its log, and writes ``failed.json``
with the end of the log when it failed. Out of memory is tried once more with half the
batch (an odd one in more parts), accumulated.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.study.cells import PROBE
from mmdetxfer.study.environments import environment_of
from mmdetxfer.study.files import (
    DONE,
    FAILED,
    HALVED,
    LOCK,
    LOG,
    SPEC,
    SPENT,
    TRAINED,
    TRAINING,
)
from mmdetxfer.study.gpus import taken_gpus
from mmdetxfer.study.locks import (
    RUNNING,
    handled,
    note_running,
    start_time,
    wait_for_lock,
)
from mmdetxfer.study.logs import BEGUN, log_tail, reason_of
from mmdetxfer.study.records import CELL, RECORDS, read_records
from mmdetxfer.text_files import sha256_of_file, write_text_atomically

_OUT_OF_MEMORY = (
    'out of memory',
    "can't allocate memory",
    'Cannot allocate memory',
    'MemoryError',
)


@dataclass(frozen=True)
class Launch:
    """How the work of a cell is started.

    Args:
        launcher: 'none', 'pytorch' (torchrun) or 'slurm' (srun).
        gpus: GPUs, and ranks, of one cell; 0 runs on the CPU.
        trusts: Whether pickled code in checkpoints may run.
        script: Python file that works in the place of ``mmdetxfer.study.work``.
    """

    launcher: str = 'none'
    gpus: int = 0
    trusts: bool = False
    script: str | None = None

    @property
    def arguments(self) -> list[str]:
        """As ``main`` takes them."""
        words = ['--launcher', self.launcher, '--gpus', str(self.gpus)]
        words += ['--trust-checkpoint'] * self.trusts
        return words + (['--script', self.script] if self.script else [])


def is_complete(folder: Path) -> bool:
    """Return whether a cell's records are whole and its own.

    Args:
        folder: Of the cell.
    """
    try:
        records = read_records(folder / RECORDS)
        done = json.loads((folder / DONE).read_text())
    except UserError:
        return False
    except FileNotFoundError:
        # Killed before it was marked.
        done = None
    except ValueError:
        return False
    if done is not None and done.get('records_sha256') != sha256_of_file(
        folder / RECORDS
    ):
        return False
    return (
        bool(records)
        and records[0]['kind'] == CELL
        and (records[0]['key'] == folder.name)
    )


def run_cell(folder: Path, launch: Launch, say: Callable[[str], None]) -> int:
    """Run a cell to its end; return 0 when its records are there.

    Args:
        folder: Of the cell; ``cell.json`` is there.
        launch: How its work is started.
        say: Told what happens.
    """
    lock = wait_for_lock(folder / LOCK, say)
    with lock:
        if not is_complete(folder):
            (folder / FAILED).unlink(missing_ok=True)
            forget_records(folder)
            if not _attempt(folder, launch, lock, say):
                return 1
        _mark_done(folder)
    return 0


def forget_records(folder: Path) -> None:
    """Remove records that are not what was marked: they are made again.

    Args:
        folder: Of the cell, whose lock is held.
    """
    # The mark is the last, so that a kill in between leaves no records that look whole.
    for name in (RECORDS, DONE):
        (folder / name).unlink(missing_ok=True)


def _mark_done(folder: Path) -> None:
    digest = sha256_of_file(folder / RECORDS)
    text = json.dumps(dict(key=folder.name, records_sha256=digest)) + '\n'
    write_text_atomically(folder / DONE, text)


def _attempt(
    folder: Path, launch: Launch, lock: Any, say: Callable[[str], None]
) -> bool:
    """Run the work, once more with half the batch when memory ran out."""
    halved = (folder / HALVED).is_file()
    while True:
        begun = time.time()
        try:
            code = _run(folder, launch, lock, halved)
        except UserError as error:
            # Not as many GPUs, no srun: it was not begun.
            write_failure(folder, str(error))
            say(f'{folder}: failed: {error}')
            return False
        if code == 0 and is_complete(folder):
            return True
        _add_spent(folder, time.time() - begun)
        tail = log_tail(folder)
        if not halved and _may_halve(folder, tail):
            say(f'{folder}: out of memory; again with the batch in parts, accumulated')
            halved = True
            _begin_halved(folder)
            continue
        reason = reason_of(tail, code)
        write_failure(folder, reason, code, tail)
        say(f'{folder}: failed: {reason}; its log is {folder / LOG}')
        return False


def _may_halve(folder: Path, tail: Sequence[str]) -> bool:
    """Return whether a training ran out of memory; a test and a probe have no batch."""
    is_training = json.loads((folder / SPEC).read_text())['kind'] != PROBE
    if not is_training or (folder / TRAINED).is_file():
        return False
    return any(one in '\n'.join(tail) for one in _OUT_OF_MEMORY)


def write_failure(
    folder: Path, reason: str, code: int = 1, log: Sequence[str] = ()
) -> None:
    """Write down why a cell failed.

    Args:
        folder: Of the cell.
        reason: In one line.
        code: Exit code.
        log: The end of its log.
    """
    failed = dict(code=code, reason=reason, log=list(log))
    write_text_atomically(folder / FAILED, json.dumps(failed, indent=1) + '\n')


def _begin_halved(folder: Path) -> None:
    """Begin the training anew: what was trained with the whole batch is set aside."""
    training = folder / TRAINING
    if training.is_dir():
        number = 1 + len(list(folder.glob('training_whole_batch_*')))
        training.rename(folder / f'training_whole_batch_{number}')
    # Last: killed before, the whole batch is tried once more, from the beginning.
    write_text_atomically(folder / HALVED, '{}\n')


def _add_spent(folder: Path, seconds: float) -> None:
    """Count the seconds of an attempt that did not end well."""
    path = folder / SPENT
    spent = json.loads(path.read_text()) if path.is_file() else 0.0
    write_text_atomically(path, json.dumps(round(spent + seconds, 1)))


def _run(folder: Path, launch: Launch, lock: Any, halved: bool) -> int:
    """Run the work of a cell in a process group of its own; return its exit code."""
    spec = json.loads((folder / SPEC).read_text())
    if spec['kind'] == PROBE:
        # Several ranks would extract the same into the same files.
        launch = replace(launch, launcher='none', gpus=min(launch.gpus, 1))
    command = _command(folder, launch, halved)
    with (
        taken_gpus(folder, launch.gpus) as (visible, held),
        open(folder / LOG, 'a') as log,
    ):
        print(BEGUN, time.strftime('%Y-%m-%d %H:%M:%S'), file=log, flush=True)
        with _passed_on() as begun:
            try:
                process = subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment_of(spec, visible),
                    pass_fds=[lock.fileno(), *(one.fileno() for one in held)],
                    start_new_session=True,
                )
            except OSError as error:
                raise UserError(f'{command[0]} cannot be started: {error}') from error
            note_running(folder, process.pid)
            begun(process.pid)
            code = process.wait()
        # Workers of a killed training end a little later than it does.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        (folder / RUNNING).unlink(missing_ok=True)
    return code


def _command(folder: Path, launch: Launch, halved: bool) -> list[str]:
    work = [launch.script] if launch.script else ['-m', 'mmdetxfer.study.work']
    work += [str(folder), '--launcher', launch.launcher]
    work += ['--halved'] * halved + ['--trust-checkpoint'] * launch.trusts
    ranks = max(launch.gpus, 1)
    if launch.launcher == 'pytorch':
        torchrun = ['-m', 'torch.distributed.run', '--standalone']
        torchrun += ['--local_addr=127.0.0.1', f'--nproc_per_node={ranks}']
        return [sys.executable, *torchrun, *work]
    if launch.launcher == 'slurm':
        # Within a job, Snakemake's own step holds what this one would wait for.
        srun = ['srun', f'--ntasks={ranks}', '--overlap', '--kill-on-bad-exit=1']
        # Of its job srun takes the tasks alone.
        cpus = os.environ.get('SLURM_CPUS_PER_TASK')
        srun += [f'--cpus-per-task={cpus}'] if cpus else []
        return [*srun, sys.executable, '-u', *work]
    return [sys.executable, *work]


@contextlib.contextmanager
def _passed_on() -> Iterator[Callable[[int], None]]:
    """Pass a termination on to the work, and end what is left of it in ten seconds.

    Yields what is to be told the work's process group: a termination while it begins
    waits until then.
    """
    groups: list[int] = []
    told: list[int] = []

    def send(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(groups[0], number)

    def stop(number: int, _: object) -> None:
        if not groups:
            told.append(number)
            return
        send(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and start_time(groups[0]) is not None:
            time.sleep(0.1)
        send(signal.SIGKILL)
        raise SystemExit(128 + number)

    def begun(group: int) -> None:
        groups.append(group)
        if told:
            stop(told[0], None)

    with handled(stop):
        yield begun


@one_line_errors
def main() -> None:
    """Run the cell whose folder the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--gpus', type=int, default=0)
    parser.add_argument('--trust-checkpoint', action='store_true')
    parser.add_argument('--script')
    args = parser.parse_args()
    launch = Launch(args.launcher, args.gpus, args.trust_checkpoint, args.script)
    raise SystemExit(run_cell(args.folder, launch, partial(print, flush=True)))


if __name__ == '__main__':
    main()
