"""What a slim image lacks, as the names of Debian's and Ubuntu's packages.

Run by its path before anything is installed: ``python -P machine.py run build`` prints
the packages missing for running, and for compiling mmcv's ops.
"""

import ctypes
import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable

# opencv-python loads these, but its wheel does not carry them.
LIBRARIES = {
    'libGL.so.1': 'libgl1',
    'libgthread-2.0.so.0': 'libglib2.0-0',
    'libxcb.so.1': 'libxcb1',
}


def missing_for_running() -> list[str]:
    """Return the packages without which the environment cannot be made or used."""
    packages = [p for library, p in LIBRARIES.items() if not _loads(library)]
    if not all(map(importlib.util.find_spec, ('venv', 'ensurepip'))):
        packages.append(f'{_python()}-venv')
    return packages


def missing_for_building() -> list[str]:
    """Return the packages without which mmcv's ops cannot be compiled."""
    compiler = os.environ.get('CXX') or 'c++'
    packages = [] if shutil.which(compiler.split()[0]) else ['g++']
    header = os.path.join(sysconfig.get_path('include'), 'Python.h')
    return packages if os.path.isfile(header) else [*packages, f'{_python()}-dev']


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _python() -> str:
    return f'python{sys.version_info.major}.{sys.version_info.minor}'


PURPOSES: dict[str, Callable[[], list[str]]] = {
    'run': missing_for_running,
    'build': missing_for_building,
}

if __name__ == '__main__':
    print(*(package for purpose in sys.argv[1:] for package in PURPOSES[purpose]()))
