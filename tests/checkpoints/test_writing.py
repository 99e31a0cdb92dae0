"""Whatever interrupts the writing, a whole file lies under the name: old or new."""

import errno
import hashlib
import os
import random
import resource
import signal
import time
from pathlib import Path

import pytest
import torch

from mmdetxfer.checkpoints import writing
from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.checkpoints.writing import (
    broken_part,
    recorded_sha256,
    remove_checkpoint,
    remove_unfinished,
    sha256_path,
    write_atomically,
)
from mmdetxfer.errors import CheckpointError, UserError
from mmdetxfer.text_files import TEMPORARY_SUFFIX, write_text_atomically


def save(path: Path, number: int) -> str:
    content = {'number': number, 'w': torch.full((1000,), float(number))}
    return write_atomically(path, lambda temporary: torch.save(content, temporary))


def number_in(path: Path) -> int:
    """Read the file as everybody does; it has to be whole."""
    found = read_checkpoint(path)
    assert torch.equal(found['w'], torch.full((1000,), float(found['number'])))
    return found['number']


@pytest.fixture
def path(tmp_path):
    """A checkpoint of number 1, to be replaced by number 2."""
    save(tmp_path / 'x.pth', 1)
    return tmp_path / 'x.pth'


def in_a_child(work) -> int:
    """Run ``work`` in a forked process; return its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            work()
        except BaseException:
            code = 77
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_the_file_its_hash_and_nothing_else_is_there(tmp_path):
    digest = save(tmp_path / 'x.pth', 1)
    assert digest == hashlib.sha256((tmp_path / 'x.pth').read_bytes()).hexdigest()
    assert sha256_path(tmp_path / 'x.pth').read_text() == f'{digest}  x.pth\n'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['x.pth', 'x.pth.sha256']
    assert recorded_sha256(tmp_path / 'x.pth') == digest
    assert recorded_sha256(tmp_path / 'y.pth') is None


def half_written_then(error):
    def write(temporary):
        temporary.write_bytes(b'PK half of a file')
        raise error

    return write


def nth_call(monkeypatch, name, number, error):
    """Let the n-th call of a function of ``os`` fail."""
    real, calls = getattr(os, name), []

    def failing(*args, **kwargs):
        calls.append(args)
        if len(calls) == number:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(writing.os, name, failing)


NO_SPACE = OSError(errno.ENOSPC, 'No space left on device')


def test_a_write_that_fails_half_way_leaves_the_old_file(path):
    with pytest.raises(CheckpointError, match='could not be written .*No space left'):
        write_atomically(path, half_written_then(NO_SPACE))
    assert number_in(path) == 1
    assert not list(path.parent.glob(f'*{TEMPORARY_SUFFIX}'))


def test_torchs_way_of_failing_is_named_in_one_line(path):
    error = RuntimeError('unexpected pos 64 vs 0\nC++ frames follow')
    with pytest.raises(CheckpointError) as caught:
        write_atomically(path, half_written_then(error))
    assert 'unexpected pos' in str(caught.value) and '\n' not in str(caught.value)
    assert 'free space in' in str(caught.value) and number_in(path) == 1


@pytest.mark.parametrize('error', [KeyboardInterrupt(), TypeError('no plain data')])
def test_other_errors_pass_and_leave_nothing_behind(path, error):
    with pytest.raises(type(error)):
        write_atomically(path, half_written_then(error))
    assert number_in(path) == 1
    assert not list(path.parent.glob(f'*{TEMPORARY_SUFFIX}'))


# In order: sync the new file, rename it, sync its hash, rename that, sync the folder.
STEPS = [
    ('fsync', 1, 1),
    ('replace', 1, 1),
    ('fsync', 2, 2),
    ('replace', 2, 2),
    ('fsync', 3, 2),
]


@pytest.mark.parametrize('name, number, left', STEPS)
def test_a_step_that_fails_leaves_a_whole_file(path, monkeypatch, name, number, left):
    nth_call(monkeypatch, name, number, NO_SPACE)
    with pytest.raises(CheckpointError, match='No space left'):
        save(path, 2)
    assert number_in(path) == left
    assert not list(path.parent.glob(f'*{TEMPORARY_SUFFIX}'))
    monkeypatch.undo()
    save(path, 3)
    assert number_in(path) == 3 and recorded_sha256(path)


@pytest.mark.parametrize('moment', ['before', 'after'])
@pytest.mark.parametrize('name, number, left', STEPS)
def test_a_kill_at_any_step_leaves_a_whole_file(path, name, number, left, moment):
    """The child dies by SIGKILL just before or just after the step."""
    real, calls = getattr(os, name), []

    def killing(*args):
        calls.append(args)
        if len(calls) == number and moment == 'before':
            os.kill(os.getpid(), signal.SIGKILL)
        real(*args)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def work():
        setattr(writing.os, name, killing)
        save(path, 2)

    assert in_a_child(work) == -signal.SIGKILL
    is_replaced = left == 2 or (name == 'replace' and moment == 'after')
    assert number_in(path) == (2 if is_replaced else 1)
    remove_unfinished(path.parent)
    assert {p.name for p in path.parent.iterdir()} <= {'x.pth', 'x.pth.sha256'}


def test_kills_at_random_moments_leave_a_whole_file(tmp_path):
    """25 processes rewrite the file in a loop until they are killed."""
    path, draw, last = tmp_path / 'x.pth', random.Random(0), 0
    save(path, 0)
    for _ in range(25):
        child = os.fork()
        if child == 0:
            number = last
            while True:
                number += 1
                save(path, number)
        time.sleep(draw.uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        number = number_in(path)
        assert number >= last
        last = number
    assert last > 25, 'the children have to have written'


def test_a_file_that_reached_the_disk_changed_does_not_replace_the_old_one(path):
    def write(temporary):
        torch.save({'w': torch.full((8,), 1.5)}, temporary)
        content = bytearray(temporary.read_bytes())
        content[content.index(torch.full((8,), 1.5).numpy().tobytes())] ^= 1
        temporary.write_bytes(content)

    with pytest.raises(CheckpointError, match='did not reach the disk unchanged'):
        write_atomically(path, write)
    assert number_in(path) == 1


def test_a_file_over_the_limit_ends_in_one_line(path):
    """RLIMIT_FSIZE in a child: the new file may have 1,000 bytes, it needs 5,000."""
    lines = path.parent / 'line'

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            save(path, 2)
        except CheckpointError as error:
            lines.write_text(str(error))

    assert in_a_child(work) == 0
    assert 'could not be written' in lines.read_text()
    assert '\n' not in lines.read_text()
    assert number_in(path) == 1
    assert not list(path.parent.glob(f'*{TEMPORARY_SUFFIX}'))


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match='could not be written'):
        save(tmp_path / 'no' / 'x.pth', 1)


def test_leftovers_are_removed_and_named(tmp_path):
    leftover = tmp_path / f'epoch_2.pth{TEMPORARY_SUFFIX}'
    leftover.write_bytes(b'half')
    save(tmp_path / 'epoch_1.pth', 1)
    assert remove_unfinished(tmp_path) == [leftover]
    assert not leftover.exists() and number_in(tmp_path / 'epoch_1.pth') == 1
    assert remove_unfinished(tmp_path) == []


def test_a_removed_checkpoint_takes_its_hash_with_it(path):
    remove_checkpoint(path)
    assert list(path.parent.iterdir()) == []
    remove_checkpoint(path)


def test_a_small_text_is_replaced_in_one_step(tmp_path, monkeypatch):
    pointer = tmp_path / 'last_checkpoint'
    write_text_atomically(pointer, 'a')
    nth_call(monkeypatch, 'replace', 1, NO_SPACE)
    with pytest.raises(UserError, match='last_checkpoint could not be written .No sp'):
        write_text_atomically(pointer, 'b')
    assert pointer.read_text() == 'a' and list(tmp_path.iterdir()) == [pointer]


def test_a_broken_directory_of_a_container_is_named(tmp_path):
    """The signature of its last entry is wrong."""
    path = tmp_path / 'x.pth'
    torch.save({'w': torch.ones(3)}, path)
    assert broken_part(path) is None
    content = bytearray(path.read_bytes())
    place = content.rindex(b'PK\x01\x02')
    content[place] ^= 0xFF
    path.write_bytes(content)
    assert 'directory' in broken_part(path)
