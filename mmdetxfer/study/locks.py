"""Locks that the kernel frees when a process dies, whatever killed it.

A child that inherits the lock holds it too: a training that outlives a killed caller
keeps its folder until it ends, so that nothing ever trains twice in one folder.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError
from mmdetxfer.text_files import write_text_atomically

RUNNING = 'running.json'


def try_lock(path: Path) -> Any:
    """Return an open file that holds the lock, or None where another holds it.

    Args:
        path: The lock's file; its folder exists.
    """
    for _ in range(5):
        stream = _locked(path)
        if stream is None or _is_at(stream, path):
            return stream
        # Its folder was removed before the lock was had: another file is there now.
        stream.close()
    raise UserError(
        f'{path}: expected a file system with locks, this one shows another file each '
        'time; take another with --work-dirs'
    )


def _locked(path: Path) -> Any:
    try:
        stream = open(path, 'a')
    except FileNotFoundError as error:
        raise UserError(
            f'{path.parent}: expected a folder, it was removed; run the study again'
        ) from error
    except PermissionError as error:
        raise UserError(
            f'{path}: expected a file to write to, it is of another user; take a '
            'folder of your own with --work-dirs'
        ) from error
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    except OSError as error:
        stream.close()
        raise UserError(
            f'{path}: expected a file system with locks, got {error.strerror}; take '
            'another with --work-dirs'
        ) from error
    return stream


def _is_at(stream: Any, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def wait_for_lock(path: Path, say: Callable[[str], None]) -> Any:
    """Return an open file that holds the lock, waiting for a process that is left.

    A termination while waiting ends that process too, if it runs on this machine.

    Args:
        path: The lock's file.
        say: Told who is waited for.
    """
    stream = try_lock(path)
    if stream is not None:
        return stream
    say(f'{_who(path.parent)}; waiting for it, nothing is lost')
    with _ended_with_us(path.parent):
        while stream is None:
            time.sleep(0.2)
            stream = try_lock(path)
    return stream


def _who(folder: Path) -> str:
    found = running_in(folder)
    if found is None:
        return f'{folder}: another process works there'
    if has_caller(found):
        return f'{folder}: process {found["pid"]} works there for another study'
    return (
        f'{folder}: process {found["pid"]} on {found["host"]}, which an earlier call '
        'left, still works there'
    )


def note_running(folder: Path, pid: int) -> None:
    """Write down which process works in a folder.

    Args:
        folder: Of a cell.
        pid: Leader of its process group.
    """
    own = os.getpid()
    content = dict(
        pid=pid,
        started=start_time(pid),
        host=socket.gethostname(),
        caller=own,
        caller_started=start_time(own),
    )
    write_text_atomically(folder / RUNNING, json.dumps(content))


def has_caller(found: dict) -> bool:
    """Return whether who began a process is there still, and looks after it.

    Args:
        found: Of ``running_in``.
    """
    begun = found.get('caller_started')
    return begun is not None and start_time(found['caller']) == begun


def running_in(folder: Path) -> dict | None:
    """Return the process that works in a folder, None if it has ended.

    A process of another machine counts as running: only its lock can tell.

    Args:
        folder: Of a cell.
    """
    try:
        found = json.loads((folder / RUNNING).read_text())
        is_here = found['host'] == socket.gethostname()
        # One that had ended when it was written down has no start.
        is_ended = found['started'] is None
        if is_here and (is_ended or start_time(found['pid']) != found['started']):
            return None
        return found
    except (OSError, ValueError, KeyError):
        return None


def start_time(pid: int) -> int | None:
    """Return when a process began, in ticks since the machine did; None without it.

    Together with its number this names a process: numbers are used again.

    Args:
        pid: Its number.
    """
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return None
    # The name in brackets may have spaces.
    fields = text.rpartition(')')[2].split()
    return None if fields[0] == 'Z' else int(fields[19])


def end_group(folder: Path, number: int = signal.SIGTERM) -> bool:
    """Send a signal to the process group that works in a folder; whether it was there.

    Args:
        folder: Of a cell.
        number: The signal.
    """
    found = running_in(folder)
    if found is None or found['host'] != socket.gethostname():
        return False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(found['pid'], number)
        return True
    return False


def end_with_parent() -> None:
    """Let the kernel end this process when the one that began it ends.

    torchrun's ranks have process groups of their own and no lock, so that one that
    outlives it would train beside the next.
    """
    parent = os.getppid()
    parent_death_signal = 1
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def handled(stop: Callable[[int, object], None]) -> Iterator[None]:
    """Let a function answer what tells this process to end.

    Args:
        stop: As ``signal.signal`` takes it.
    """
    kinds = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    former = {one: signal.signal(one, stop) for one in kinds}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _ended_with_us(folder: Path) -> Iterator[None]:
    """End the process that is waited for when this one is told to end."""

    def stop(number: int, _: object) -> None:
        found = running_in(folder)
        if found is not None and not has_caller(found):
            end_group(folder)
        raise SystemExit(128 + number)

    with handled(stop):
        yield
