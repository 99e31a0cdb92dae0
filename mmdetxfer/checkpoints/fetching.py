"""Fetches published weights over http, once a machine, into torch's hub folder.

A file appears under its name only when it is as long as the server said. Where its name
states the beginning of its SHA-256 (``resnet50-0676ba61.pth``), that is checked each
time the file is asked for.
"""

import http.client
import os
import re
import shutil
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlparse

import torch

from mmdetxfer.errors import CheckpointError, DamagedCheckpointError
from mmdetxfer.text_files import TEMPORARY_SUFFIX, sha256_of_file

TIMEOUT_S = 60


def fetched(address: str) -> Path:
    """Return the local file of an http address, fetched if it is not there yet."""
    target = cached_path(address)
    if not target.is_file():
        _fetch(address, target)
    _refuse_other_hash(target)
    return target


def cached_path(address: str) -> Path:
    """Return where the file of an http address is kept."""
    name = Path(unquote(urlparse(address).path)).name
    if name in ('', '..'):
        raise CheckpointError(
            f'{address} names no file: expected an address that ends in a file name'
        )
    return Path(torch.hub.get_dir()) / 'checkpoints' / name


def named_hash(name: str) -> str | None:
    """Return the beginning of the SHA-256 that a file name states, None if none.

    >>> named_hash('resnet50-0676ba61.pth')
    '0676ba61'

    A date (``-20210101.pth``) is none.
    """
    found = re.search(r'-([0-9a-f]{8,64})\.', name)
    if found is None or re.fullmatch(r'20\d\d[01]\d[0-3]\d', found.group(1)):
        return None
    return found.group(1)


def _fetch(address: str, target: Path) -> None:
    temporary = target.with_name(f'{target.name}.{os.getpid()}{TEMPORARY_SUFFIX}')
    request = urllib.request.Request(address, headers={'User-Agent': 'mmdetxfer'})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            length = response.headers.get('Content-Length')
            size = f'{int(length) / 1e6:.1f} MB' if length else 'size not known'
            print(f'fetching {address} ({size}) to {target}', flush=True)
            with open(temporary, 'wb') as stream:
                shutil.copyfileobj(response, stream)
        size = temporary.stat().st_size
        if length is not None and size != int(length):
            raise OSError(f'the connection ended at {size} of {length} bytes')
        os.replace(temporary, target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CheckpointError(
            f'{address} could not be fetched ({error}); fetch it elsewhere and put it '
            f'at {target}'
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_other_hash(target: Path) -> None:
    expected = named_hash(target.name)
    if expected is not None:
        found = sha256_of_file(target)
        if not found.startswith(expected):
            raise DamagedCheckpointError(
                f'{target} is damaged: its name says that its SHA-256 begins with '
                f'{expected}, it begins with {found[: len(expected)]}; remove it to '
                'fetch it again'
            )
