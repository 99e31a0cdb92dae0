"""Versions of torch, the hosts and timm: what a cell's numbers depend on beside it."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = (
    'torch',
    'torchvision',
    'numpy',
    'mmengine',
    'mmcv',
    'mmdet',
    'mmsegmentation',
    'mmpretrain',
)


@cache
def versions() -> dict[str, str]:
    """Return the versions of torch and the hosts."""
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return 'not installed'


def versions_for(form: Mapping) -> dict[str, str]:
    """Return the versions that the numbers of a config depend on.

    Args:
        form: Of ``normal_form``.
    """
    if any('timm' in kind.lower() for kind in _types_in(form.get('model'))):
        return {**versions(), 'timm': _version('timm')}
    return versions()


def _types_in(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get('type'), str):
            yield node['type']
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _types_in(one)
