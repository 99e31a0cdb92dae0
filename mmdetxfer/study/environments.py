"""The environments of processes that a study begins."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_MEMORY = dict(
    # More is refused by glibc before 2.35, and all of it with it.
    MALLOC_MMAP_THRESHOLD_=str(2**25),
    MALLOC_TRIM_THRESHOLD_=str(2**31),
    MALLOC_TOP_PAD_=str(2**26),
)


def with_package(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which this package is found, installed or not.

    Args:
        environment: Any.
    """
    path = environment.get('PYTHONPATH')
    own = f'{_ROOT}{os.pathsep}{path}' if path else str(_ROOT)
    return {**environment, 'PYTHONPATH': own}


def with_threads(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """Return an environment in which a process has the threads of its key.

    It keeps its memory too: glibc gives large tensors back to the system at every step
    and takes them again, a tenth and more of the time of a training on a CPU.

    Args:
        environment: Any; what it says of memory stands.
        threads: Of a training.
    """
    names = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')
    return {**_MEMORY, **environment, **dict.fromkeys(names, str(threads))}


def environment_of(spec: Mapping[str, Any], visible: str | None) -> dict[str, str]:
    """Return a cell's environment: the threads of its key, and a port that is free.

    Args:
        spec: Of the cell.
        visible: GPUs that it may see; None leaves them as they are.
    """
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    own = dict(MASTER_PORT=str(port))
    if visible is not None:
        own['CUDA_VISIBLE_DEVICES'] = visible
    return {**with_threads(with_package(os.environ), spec['threads']), **own}
