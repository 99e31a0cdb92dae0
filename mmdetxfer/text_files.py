"""Small files that appear whole or not at all, and the hashes of any; imports nothing.

What starts a hundred times in a study, and only looks after others, must start at once.
"""

import hashlib
import os
from pathlib import Path

from mmdetxfer.errors import UserError

TEMPORARY_SUFFIX = '.being-written'


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with open(path, 'rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def write_text_atomically(path: Path, text: str) -> None:
    """Replace a small text file in one step; ``UserError`` if that cannot be done."""
    try:
        replace_text(path, text)
    except OSError as error:
        raise UserError(
            f'{path} could not be written ({error.strerror or error}); free space in '
            f'{path.parent} or make it writable'
        ) from error


def replace_text(path: Path, text: str) -> None:
    """Replace a small text file in one step, errors as they are."""
    # Two processes may write the same at once.
    temporary = path.with_name(f'{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}')
    try:
        temporary.write_text(text)
        flush_to_disk(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Return when every byte of a file, or every name of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
