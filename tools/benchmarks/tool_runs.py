"""Runs tools of the repository for the benchmarks that train, several at a time.

What is held here ends with the program: trainings of a killed call keep the lock on
their folder until they end, and a termination ends them.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TextIO, TypeVar

from mmdetxfer.errors import UserError
from mmdetxfer.text_files import write_text_atomically

ROOT = Path(__file__).resolve().parents[2]
Key = TypeVar('Key', bound=Hashable)
Found = TypeVar('Found')
_running: set[subprocess.Popen] = set()
_held: list[TextIO] = []


def run_tool(name: str, arguments: Sequence[Any], log: Path) -> None:
    """Run one of the tools in the repository with one thread, its output in a log.

    Args:
        name: Below ``tools``.
        arguments: Of its command line.
        log: What it prints is added there.
    """
    command = [sys.executable, str(ROOT / 'tools' / name), *map(str, arguments)]
    # The number of threads changes the last bits.
    environment = dict(os.environ, OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')
    with open(log, 'a') as stream:
        streams: dict[str, Any] = dict(stdout=stream, stderr=subprocess.STDOUT)
        streams['pass_fds'] = [lock.fileno() for lock in _held]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, **streams)
        _running.add(process)
        code = process.wait()
        _running.discard(process)
    if code != 0:
        raise UserError(f'{name} failed with exit code {code}; see {log}')


def hold(work_dir: Path) -> None:
    """Hold a folder alone until the last training has ended; end them when ended."""
    signal.signal(signal.SIGTERM, _stop)
    work_dir.mkdir(parents=True, exist_ok=True)
    lock = open(work_dir / '.lock', 'w')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UserError(
            f'{work_dir}: another call, or trainings that a killed one left, work '
            'there; wait for them, or kill them and call again'
        ) from None
    _held.append(lock)


def _stop(*_: object) -> None:
    for process in list(_running):
        process.terminate()
    raise SystemExit(1)


def keep_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write down what a folder holds; refuse one that holds something else.

    Args:
        folder: Of results.
        settings: What they depend on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'settings.json'
    if not path.is_file():
        write_text_atomically(path, json.dumps(settings, indent=1))
    theirs = json.loads(path.read_text())
    other = [key for key in settings if settings[key] != theirs.get(key)]
    if other:
        raise UserError(
            f'{folder}: it holds results of another {" and ".join(other)}; remove '
            'it, or name another --work-dir'
        )


def all_of(
    keys: Sequence[Key], run: Callable[[Key], Found], jobs: int
) -> dict[Key, Found]:
    """Run all keys, some at a time; when one fails, none is begun any more.

    Args:
        keys: What is run.
        run: Runs one.
        jobs: How many at a time.
    """
    if jobs < 1:
        raise UserError(f'--jobs: expected 1 or more, got {jobs}')
    with ThreadPoolExecutor(jobs) as pool:
        futures = {key: pool.submit(run, key) for key in keys}
        try:
            wait(futures.values(), return_when=FIRST_EXCEPTION)
        finally:
            # Of those that ended, the first that failed says why.
            pool.shutdown(wait=False, cancel_futures=True)
        for future in futures.values():
            if future.done() and not future.cancelled():
                future.result()
        return {key: future.result() for key, future in futures.items()}
