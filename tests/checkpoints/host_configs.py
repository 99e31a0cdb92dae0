"""The installed hosts' own configs, found without importing a host."""

import importlib.util
from pathlib import Path

from mmengine.config import Config

HOSTS = ('mmdet', 'mmseg', 'mmpretrain')


def configs_folder(host: str) -> Path:
    return Path(importlib.util.find_spec(host).origin).parent / '.mim' / 'configs'


def host_config(host: str, name: str) -> Config:
    cfg = Config.fromfile(configs_folder(host) / name)
    cfg.setdefault('default_scope', host)
    return cfg
