"""Runs the cells of a plan: Snakemake decides the order, a lock keeps others out."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError
from mmdetxfer.study.cells import Plan
from mmdetxfer.study.environments import with_package
from mmdetxfer.study.files import LOCK
from mmdetxfer.study.locks import (
    end_group,
    handled,
    has_caller,
    note_running,
    running_in,
    try_lock,
)
from mmdetxfer.study.snakefile import Settings, prepare

EXECUTORS = ('local', 'slurm')
# Seconds until Snakemake, told to end, is killed; Slurm's jobs must be cancelled first.
_PATIENCE = dict(local=5, slurm=60)


def run(
    plan: Plan,
    study_dir: Path,
    settings: Settings,
    watch: Callable[[], None] = lambda: None,
    absent: Mapping[str, list[str]] | None = None,
) -> int:
    """Run what is missing; return Snakemake's exit code.

    Args:
        plan: What is run.
        study_dir: Folder of the study.
        settings: How.
        watch: Called every half second while cells run.
        absent: What is not there, by cell.
    """
    check(settings)
    _end_former(study_dir)
    prepare(plan, study_dir, settings, absent or {})
    _heed_interrupts()
    with open(study_dir / 'snakemake.log', 'a') as log:
        process = subprocess.Popen(
            _snakemake(plan, settings),
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=study_dir,
            env=with_package(os.environ),
            start_new_session=True,
        )
        note_running(study_dir, process.pid)
        with _ended_with_us(process, plan, settings.executor):
            while process.poll() is None:
                watch()
                time.sleep(0.5)
    watch()
    return process.returncode


def _heed_interrupts() -> None:
    """Take interrupts seriously, and let Snakemake do so.

    What a shell begins in its background ignores them, and so does what that begins.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def check(settings: Settings) -> None:
    """Refuse what cannot be run.

    Args:
        settings: How a study is run.
    """
    if settings.executor not in EXECUTORS:
        raise UserError(
            f'--executor: expected {" or ".join(EXECUTORS)}, got {settings.executor!r}'
        )
    launch = settings.launch
    if launch.gpus > 1 and launch.launcher == 'none':
        raise UserError(
            f'--gpus: expected 1 without a launcher, got {launch.gpus}; '
            '--launcher pytorch spreads a training over several'
        )
    if settings.jobs < 1:
        raise UserError(f'--jobs: expected 1 or more, got {settings.jobs}')


def _end_former(study_dir: Path) -> None:
    """End the Snakemake that a killed call left; its trainings go on and are kept."""
    while end_group(study_dir, signal.SIGKILL):
        time.sleep(0.1)


def _snakemake(plan: Plan, settings: Settings) -> list[str]:
    cores = settings.jobs * plan.study.threads
    command = [sys.executable, '-m', 'snakemake', '--snakefile', 'Snakefile']
    command += ['--nolock', '--rerun-incomplete', '--keep-going']
    command += ['--rerun-triggers', 'mtime', '--scheduler', 'greedy']
    if settings.executor == 'local':
        command += ['--cores', str(cores)]
        if settings.launch.gpus:
            command += ['--resources', f'gpus={max(settings.all_gpus, 1)}']
    else:
        command += ['--executor', 'slurm', '--jobs', str(settings.jobs)]
    return [*command, *settings.extra]


@contextlib.contextmanager
def hold(study_dir: Path, *, waits: bool = False) -> Iterator[None]:
    """Hold the folder of a study: a second run of it is refused.

    Args:
        study_dir: The folder.
        waits: Whether to wait for another that holds it, instead.
    """
    try:
        study_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f'{study_dir}: expected a folder to write to: {error.strerror}; take '
            'another with --work-dirs'
        ) from error
    lock = try_lock(study_dir / LOCK)
    while lock is None and waits:
        time.sleep(0.2)
        lock = try_lock(study_dir / LOCK)
    if lock is None:
        raise UserError(
            f'{study_dir}: another run of this study works there; wait for it, or end '
            'it'
        )
    with lock:
        yield


@contextlib.contextmanager
def _ended_with_us(
    process: subprocess.Popen, plan: Plan, executor: str
) -> Iterator[None]:
    """End Snakemake, its jobs and their trainings when this process is told to end."""

    def stop(number: int, _: Any) -> None:
        # At an interrupt Snakemake cancels its jobs of Slurm.
        first = signal.SIGINT if executor == 'slurm' else signal.SIGTERM
        for sent in (first, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sent)
            for key in plan.cells:
                _end_own(plan.folder(key), process.pid, sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_PATIENCE[executor])
        raise SystemExit(128 + number)

    with handled(stop):
        yield


def _end_own(folder: Path, group: int, number: int) -> None:
    """End what works in a cell for us, or for nobody; not what does for another."""
    found = running_in(folder)
    if found is None:
        return
    is_ours = True
    if has_caller(found):
        with contextlib.suppress(ProcessLookupError):
            is_ours = os.getpgid(found['caller']) == group
    if is_ours:
        end_group(folder, number)


def clean(plan: Plan, keys: list[str]) -> int:
    """Remove cells; return how many were there.

    Args:
        plan: The plan.
        keys: Of the cells.
    """
    count = 0
    for key in keys:
        folder = plan.folder(key)
        if not folder.is_dir():
            continue
        lock = try_lock(folder / LOCK)
        if lock is None:
            raise UserError(f'{folder}: a process works there; end it first')
        with lock:
            shutil.rmtree(folder)
        count += 1
    return count


def forget_done(plan: Plan, key: str) -> list[str]:
    """Let a cell run again, and what was made from it; return the keys.

    Args:
        plan: The plan.
        key: Of the cell.
    """
    again = {key}
    for other, cell in plan.cells.items():
        if again & set(cell.needs):
            again.add(other)
    found = [one for one in plan.cells if one in again]
    clean(plan, found)
    return found
