"""Worlds: sizes, splits, the map from format names to writers, and making one.

A world is a folder of data sets in their real layouts, all drawn from one seed. Its
``world.json`` holds the settings (seed, size, versions) and, for each finished format,
what was drawn. A second call returns at once; a call after a killed one goes on where
it stopped; other settings, or a folder that is no world, are refused.

The contract of a writer: the function that ``FORMATS`` names (``write`` in a module of
one format, ``write_<format>`` in ``voc`` and ``classification_sets``) is

    write(root, split_sizes, seed, workers, progress) -> counts

- ``root`` (Path) is the folder of the format inside the world: ``FORMATS[name].folder``
  under the world's folder, so VOC2007 gets ``.../VOCdevkit/VOC2007``. The writer makes
  it, and all of its files lie under it. An unfinished one of a killed run may be there.
- ``split_sizes`` (dict of split name to the number of images) as ``split_sizes(format,
  size)`` gives them. A format with classes gets the number of images of all classes
  together: image i of a split has class i modulo the number of classes.
- ``seed`` (int) is the world's seed; the images of a split are numbers 0, 1, ... of the
  stream ``writing.stream_seed(seed, format, split)``, so that a test can draw them
  again without the writer: ``draw_scene(stream_seed(seed, 'voc2007', 'test'), index,
  'target')``.
- ``workers`` (int) and ``progress`` (callable or None) go to ``writing.map_items``. Its
  folder for parts is ``root / '.parts' / split``; ``make_world`` removes
  ``root / '.parts'`` when the format is complete.
- ``counts`` is what was drawn: ``{split: {'images': .., 'instances': .., ...}}``, plain
  integers. It is kept in the world's marker.
- Beside the labels, for each split, ``attributes_<split>.jsonl`` under ``root``
  (``attributes.py`` makes the lines): outline, texture, scale of each object.

No writer imports a host (mm* package) or matplotlib.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from ..errors import UserError
from .scenes import WORLD_VERSION
from .writing import Progress, remove_leftovers, write_text

Size = int | Literal['tiny', 'small', 'medium']
Counts = dict[str, dict[str, int]]
# Changes when a writer puts other files or other text on the disk.
WRITERS_VERSION = 1
MARKER = 'world.json'
MIN_IMAGES = 16
_TOTALS = dict(tiny=24, medium=5000)


@dataclass(frozen=True)
class Format:
    """One format of a world.

    Args:
        writer: Module of its writer, under ``mmdetxfer.worlds``, and function.
        folder: Its root under the world's folder.
        small: Images of each split in the world of size 'small'; other sizes keep
            these proportions.
        follows: The format whose images it shares, and so their number.
    """

    writer: str
    folder: str
    small: Mapping[str, int]
    follows: str | None = None


def _format(writer: str, folder: str, follows: str | None = None, **small: int):
    return Format(writer, folder, MappingProxyType(small), follows)


FORMATS: Mapping[str, Format] = MappingProxyType(
    dict(
        voc2007=_format(
            'voc.write_voc2007', 'VOCdevkit/VOC2007', train=75, val=75, test=250
        ),
        voc2012=_format('voc.write_voc2012', 'VOCdevkit/VOC2012', train=150, val=250),
        sbd=_format('sbd.write', 'VOCdevkit/VOCaug', 'voc2012', train=150, val=250),
        coco=_format('coco.write', 'coco', train=800, val=200),
        coco_target=_format('coco.write_target', 'coco_target', train=150, val=250),
        openimages=_format('openimages.write', 'OpenImages', train=800, val=200),
        imagenet_loc=_format('imagenet_loc.write', 'ILSVRC', train=800, val=200),
        caltech256=_format(
            'classification_sets.write_caltech256', 'Caltech256', all=400
        ),
        sun397=_format(
            'classification_sets.write_sun397', 'SUN397', train=200, test=200
        ),
        flowers102=_format(
            'classification_sets.write_flowers102',
            'Flowers102',
            train=100,
            val=100,
            test=200,
        ),
        occlusion=_format('occlusion.write', 'VOCocclusion', 'voc2007', test=250),
    )
)


# COCO with the target's scenes is made only when it is named.
DEFAULT_FORMATS = tuple(name for name in FORMATS if name != 'coco_target')


def split_sizes(name: str, size: Size) -> dict[str, int]:
    """Return the number of images in each split of a format.

    Args:
        name: Name of the format.
        size: 'tiny', 'small', 'medium', or the number of images in all splits together.
    """
    chosen = FORMATS[name]
    if chosen.follows:
        shared = split_sizes(chosen.follows, size)
        return {split: shared[split] for split in chosen.small}
    if size == 'small':
        return dict(chosen.small)
    total = _TOTALS.get(size, size)
    weight = sum(chosen.small.values())
    sizes = {split: number * total // weight for split, number in chosen.small.items()}
    largest = max(sizes, key=sizes.get)
    sizes[largest] += total - sum(sizes.values())
    return sizes


def make_world(
    out: Path | str,
    size: Size,
    seed: int,
    formats: Sequence[str] = DEFAULT_FORMATS,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Counts]:
    """Make a world, or what is missing of it.

    Args:
        out: Folder of the world: new, empty, or a world of the same settings.
        size: 'tiny', 'small', 'medium', or the number of images in each format.
        seed: Seed of everything that is drawn, 0 or more.
        formats: Names in ``FORMATS``.
        workers: Number of processes; it does not change what is written. More than 1
            needs a main module that can be imported (``if __name__ == '__main__'``).
        progress: Told of each part that is done.

    Returns:
        For each of the formats and splits what was drawn.
    """
    _check(size, seed, formats, workers)
    out = Path(out)
    with _locked(out):
        marker = _read_or_begin(out, size, seed)
        for name in formats:
            if name not in marker['formats']:
                counts = _write_format(out, name, size, seed, workers, progress)
                marker['formats'][name] = counts
                _write_marker(out, marker)
        return {name: marker['formats'][name] for name in formats}


def _check(size: Size, seed: int, formats: Sequence[str], workers: int) -> None:
    if isinstance(size, str) and size not in ('small', *_TOTALS):
        raise UserError(
            f'size must be tiny, small, medium or a number of images, got {size!r}'
        )
    if isinstance(size, int) and size < MIN_IMAGES:
        raise UserError(f'size must be at least {MIN_IMAGES} images, got {size}')
    if seed < 0:
        raise UserError(f'seed must be 0 or more, got {seed}')
    if workers < 1:
        raise UserError(f'workers must be 1 or more, got {workers}')
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise UserError(
            f'unknown format {unknown[0]!r}; known formats: {", ".join(FORMATS)}'
        )


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the world's folder alone; the kernel lets go when a process dies."""
    if out.exists() and not (out / MARKER).exists() and any(out.iterdir()):
        if not (out / '.lock').exists():
            raise UserError(
                f'{out} has files but no {MARKER}: it is no world; choose a new folder'
            )
    out.mkdir(parents=True, exist_ok=True)
    with open(out / '.lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f'another process is making the world in {out}; wait for it to end'
            ) from None
        yield


def _read_or_begin(out: Path, size: Size, seed: int) -> dict[str, Any]:
    settings = dict(
        seed=seed,
        # Names of totals are the totals, so that 'medium' is 5000.
        size=_TOTALS.get(size, size),
        world_version=WORLD_VERSION,
        writers_version=WRITERS_VERSION,
    )
    path = out / MARKER
    if not path.exists():
        marker = dict(settings=settings, formats={})
        _write_marker(out, marker)
        return marker
    marker = json.loads(path.read_text())
    found = marker['settings']
    differing = [name for name in settings if found.get(name) != settings[name]]
    if differing:
        raise UserError(
            f'{out} holds a world made with '
            + ', '.join(f'{name} {found.get(name)}' for name in differing)
            + ', not '
            + ', '.join(f'{name} {settings[name]}' for name in differing)
            + '; choose another folder or delete this one'
        )
    return marker


def _write_marker(out: Path, marker: dict[str, Any]) -> None:
    write_text(out / MARKER, json.dumps(marker, indent=1) + '\n')


def _write_format(
    out: Path,
    name: str,
    size: Size,
    seed: int,
    workers: int,
    progress: Progress | None,
) -> Counts:
    root = out / FORMATS[name].folder
    remove_leftovers(root)
    module, function = FORMATS[name].writer.split('.')
    # Imported here, so that one format does not wait for what another one needs.
    writer = getattr(importlib.import_module(f'.{module}', __package__), function)
    counts = writer(root, split_sizes(name, size), seed, workers, progress)
    shutil.rmtree(root / '.parts', ignore_errors=True)
    return counts
