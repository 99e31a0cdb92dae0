"""Lets a process do once what the hosts would do again and again in it.

None of this decides what is tested. For every ``_base_ = 'mmdet::...'`` mmengine 0.10.7
parses all of the host's metafiles, 85 or more; it formats the same config four times in
a training; and it collects garbage for each data set, half a second where all hosts are
imported.
"""

import functools
import gc

from mmengine.config import Config, config, utils

HOSTS = ('mmdet', 'mmseg', 'mmpretrain')


def parse_and_format_once() -> None:
    """Keep parsed metafiles and formatted texts; both depend on the argument alone."""
    if hasattr(utils.load, 'cache_info'):
        return
    utils.load = functools.cache(utils.load)
    format_code = config.FormatCode

    @functools.cache
    def formatted(text: str, settings: tuple) -> tuple:
        return format_code(text, **{name: dict(value) for name, value in settings})

    def format_once(text: str, style_config: dict) -> tuple:
        return formatted(text, (('style_config', tuple(style_config.items())),))

    config.FormatCode = format_once


def pass_over_imports() -> None:
    """Let collections of garbage look at what is made from now on alone."""
    gc.collect()
    gc.freeze()


def before_forks() -> None:
    """Do all of it in a process that forks others, the parsing beforehand."""
    parse_and_format_once()
    for host in HOSTS:
        Config._get_cfg_path(f'{host}::_base_/default_runtime.py', '')
    pass_over_imports()
