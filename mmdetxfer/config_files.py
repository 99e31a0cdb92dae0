"""Reads and writes configs as mmengine does, and not again and again.

For every ``_base_ = 'mmdet::...'`` mmengine 0.10.7 parses all of the host's metafiles,
85 and more, a fifth of a second, of which a plan of a study needs a hundred; and it
formats the text of one config four times in a training, a second or two each.
"""

import contextlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

from mmengine.config import Config, config
from mmengine.config.utils import MODULE2PACKAGE

_by_metafiles = Config._get_cfg_path


def read_config_file(path: str | Path) -> Config:
    """Return ``Config.fromfile`` of a file, sooner.

    Args:
        path: Of the config.
    """
    with _found_where_they_lie():
        return Config.fromfile(path)


@contextlib.contextmanager
def _found_where_they_lie() -> Iterator[None]:
    with mock.patch.object(Config, '_get_cfg_path', staticmethod(_place)):
        yield


def _place(name: str, file: str) -> tuple[str, str | None]:
    """Return the path of a config, and the scope of its host."""
    scope, is_of_host, rest = name.partition('::')
    if is_of_host and scope in MODULE2PACKAGE:
        place = _configs_of(scope) / rest
        if place.is_file():
            return str(place), scope
    # Of this repository, an unusual host's, or not there: mmengine has the words.
    return _by_metafiles(name, file)


@cache
def _configs_of(scope: str) -> Path:
    spec = find_spec(scope)
    folders = spec.submodule_search_locations if spec else None
    return Path(next(iter(folders or ['none']))) / '.mim' / 'configs'


def format_texts_once() -> None:
    """Let mmengine keep the formatted text of a config, in this process."""
    format_code = config.FormatCode
    if hasattr(format_code, 'kept'):
        return

    @cache
    def formatted(text: str, style: tuple, settings: tuple) -> tuple:
        return format_code(text, style_config=dict(style), **dict(settings))

    def format_once(text: str, style_config: dict, **settings: Any) -> tuple:
        style = tuple(style_config.items())
        return formatted(text, style, tuple(settings.items()))

    format_once.kept = formatted
    config.FormatCode = format_once
