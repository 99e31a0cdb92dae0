"""Atomic writing of checkpoints, with a SHA-256 beside each file.

A file appears under its name only when every byte is on the disk and its checksums have
been read back. The order (old hash away, rename, new hash) means that a kill at any
moment leaves either a file that agrees with its hash or one without a hash, whose zip
checksums still tell whether it is whole.
"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from mmdetxfer.errors import CheckpointError
from mmdetxfer.text_files import (
    TEMPORARY_SUFFIX,
    flush_to_disk,
    replace_text,
    sha256_of_file,
)


def sha256_path(path: Path) -> Path:
    """Where the hash of a file lies: beside it."""
    return path.with_name(path.name + '.sha256')


def recorded_sha256(path: Path) -> str | None:
    """Return the hash that was written beside the file, or None."""
    try:
        words = sha256_path(path).read_text(errors='replace').split()
    except FileNotFoundError:
        return None
    return words[0] if words and len(words[0]) == 64 else None


def write_atomically(path: Path, write: Callable[[Path], None]) -> str:
    """Let ``write`` fill a temporary file, check it, and put it in place.

    Args:
        path: The final file; its folder exists.
        write: Called with the temporary path, in the same folder.

    Returns:
        The SHA-256 of the file.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        write(temporary)
        flush_to_disk(temporary)
        bad = broken_part(temporary)
        if bad is not None:
            raise OSError(f'its part {bad!r} did not reach the disk unchanged')
        digest = sha256_of_file(temporary)
        sha256_path(path).unlink(missing_ok=True)
        os.replace(temporary, path)
        replace_text(sha256_path(path), f'{digest}  {path.name}\n')
        flush_to_disk(path.parent)
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f'{path} could not be written ({reason}); checkpoints saved before it are '
            f'untouched: free space in {path.parent} and resume'
        ) from error
    finally:
        # After a rename there is none; a full disk needs the space back.
        temporary.unlink(missing_ok=True)
    return digest


def remove_unfinished(folder: Path) -> list[Path]:
    """Delete what a killed run left half written; return what was deleted."""
    leftovers = sorted(folder.glob(f'*{TEMPORARY_SUFFIX}'))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return leftovers


def remove_checkpoint(path: Path) -> None:
    """Delete a checkpoint and the hash beside it."""
    path.unlink(missing_ok=True)
    sha256_path(path).unlink(missing_ok=True)


def broken_part(path: Path) -> str | None:
    """Return the part of torch's zip container whose checksum is wrong, or None.

    ``torch.load`` does not look at the checksums. Other kinds of files have no parts.
    """
    try:
        if path.suffix == '.safetensors' or not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except OSError:
        raise
    except Exception as error:  # zipfile raises a dozen types for a broken directory
        return f'directory, {type(error).__name__}: {error}'
