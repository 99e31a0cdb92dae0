"""Finds the configs that were installed with the package.

mmengine resolves ``_base_ = 'mmdet::...'`` by a fixed list of packages that refuses
``mmdetxfer::``, but it accepts a path. So a config of another repository writes::

    _base_ = __import__('mmdetxfer').config_path('topic/name.py')

The import stands inside the expression because mmengine evaluates ``_base_`` by itself,
before any other line of the file.
"""

import difflib
import os

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def config_path(name: str) -> str:
    """Return the full path of one of the package's configs.

    Args:
        name: The config's path under ``configs/``, e.g. ``'tiny/tiny_det_x.py'``.

    Raises:
        ValueError: There is no such config; the nearest names are listed.
    """
    folder = _configs_folder()
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.isfile(path) and path.startswith(folder + os.sep):
        return path
    known = sorted(_config_names(folder))
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.4) or known[:5]
    raise ValueError(
        f'expected the name of a config under {folder}, came {name!r}; '
        f'nearest: {", ".join(near) or "none, the folder is empty"}'
    )


def _configs_folder() -> str:
    """Return the configs' folder: in the wheel, or beside a checkout's package."""
    beside = os.path.join(os.path.dirname(_PACKAGE), 'configs')
    shipped = os.path.join(_PACKAGE, '.mim', 'configs')
    return shipped if os.path.isdir(shipped) else beside


def _config_names(folder: str) -> list[str]:
    """Return the names of all configs, relative to their folder."""
    return [
        os.path.relpath(os.path.join(parent, file), folder)
        for parent, _, files in os.walk(folder)
        for file in files
        if file.endswith('.py')
    ]
