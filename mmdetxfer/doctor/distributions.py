"""Which distributions this Python has, and whether their files are all there.

A killed pip leaves three kinds of damage, and takes each for an installed package: a
distribution without RECORD (pip writes it last), files that are missing or cut short,
and folders named ``~something`` (what it was about to replace). Standard library only:
``tools/setup_env.sh`` runs this file by its path before anything is installed::

    python -P distributions.py freeze [PINS]  print name==version (of those in PINS)
    python -P distributions.py verify FILE    check that each of them is there and whole
    python -P distributions.py clean          forget what is damaged: pip then sees it
"""

import csv
import re
import shutil
import sys
import sysconfig
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

_PIN = re.compile(r'^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;#]+)')


def normalised(name: str) -> str:
    """Return a distribution's name as the index compares it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def read_pins(file: Path) -> dict[str, str]:
    """Return the versions that the ``name==version`` lines of a file state."""
    found = (_PIN.match(line.strip()) for line in file.read_text().splitlines())
    return {normalised(pin[1]): pin[2] for pin in found if pin}


def site_packages() -> Path:
    """Return the folder into which this Python installs packages."""
    return Path(sysconfig.get_path('purelib'))


def installed_distributions(folder: Path | None = None) -> dict[str, Distribution]:
    """Return the distributions in a folder by normalised name.

    Args:
        folder: Where to look; by default all of ``sys.path``.
    """
    found = distributions(path=[str(folder)]) if folder else distributions()
    named = ((dist.metadata['Name'], dist) for dist in found)
    by_name: dict[str, Distribution] = {}
    for name, dist in named:
        if name:
            by_name.setdefault(normalised(name), dist)
    return by_name


def damage(
    dist: Distribution, compare_sizes: bool = False, shared: Collection[str] = ()
) -> str | None:
    """Say what is wrong with a distribution's files, or return None.

    Args:
        dist: The distribution to look at.
        compare_sizes: Whether a file of another size than recorded is damage too. It is
            after a killed install; after a finished one it is somebody's edit.
        shared: Files that several distributions install over each other (some bring a
            top-level ``tests/__init__.py``): their size says nothing.
    """
    record = dist.read_text('RECORD')
    if not record:
        return 'its RECORD is missing'
    for name, size in _recorded_files(record):
        try:
            found = Path(dist.locate_file(name)).stat().st_size
        except OSError:
            return f'{name} is missing'
        if compare_sizes and name not in shared and size and found != int(size):
            return f'{name} has {found} bytes instead of {size}'
    return None


def problems(pins: dict[str, str]) -> Iterator[str]:
    """Yield one line for each pinned distribution that is absent, other or damaged."""
    present = installed_distributions(site_packages())
    for name, version in pins.items():
        if name not in present:
            yield f'{name} {version} is not installed'
        elif present[name].version != version:
            yield f'{name} is {present[name].version}, expected {version}'
        elif reason := damage(present[name]):
            yield f'{name} {version} is damaged: {reason}'


def forget_damaged(folder: Path) -> list[str]:
    """Remove the metadata of damaged distributions and the leftovers of a killed pip.

    pip installs over the files that remain, and writes a new RECORD.

    Returns:
        One line for each thing removed.
    """
    removed = []
    for leftover in folder.glob('~*'):
        _remove(leftover)
        removed.append(f'{leftover.name}: left over from a killed install')
    found = {p: Distribution.at(p) for p in sorted(folder.glob('*.dist-info'))}
    shared = _shared_files(found.values())
    for metadata, dist in found.items():
        reason = damage(dist, compare_sizes=True, shared=shared)
        if reason:
            _remove(metadata)
            removed.append(f'{metadata.name.removesuffix(".dist-info")}: {reason}')
    return removed


def _recorded_files(record: str) -> Iterator[tuple[str, str]]:
    """Yield name and size of the recorded files; byte code may come and go."""
    for row in csv.reader(record.splitlines()):
        if len(row) == 3 and not row[0].endswith('.pyc'):
            yield row[0], row[2]


def _shared_files(found: Iterable[Distribution]) -> set[str]:
    records = (dist.read_text('RECORD') or '' for dist in found)
    claims = Counter(name for r in records for name, _ in _recorded_files(r))
    return {name for name, count in claims.items() if count > 1}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _freeze(pins: dict[str, str] | None) -> Iterable[str]:
    present = installed_distributions(site_packages())
    return [
        f'{name}=={dist.version}'
        for name, dist in sorted(present.items())
        if pins is None or name in pins
    ]


def main(arguments: list[str]) -> int:
    """Run one of the commands of the module's docstring; return the exit code."""
    command, *files = arguments
    pins = read_pins(Path(files[0])) if files else None
    if command == 'freeze':
        lines = _freeze(pins)
    elif command == 'verify':
        lines = list(problems(pins or {}))
    elif command == 'clean':
        lines = forget_damaged(site_packages())
    else:
        raise ValueError(f'expected freeze, verify or clean, came {command!r}')
    print(*lines, sep='\n', end='\n' if lines else '')
    return int(command == 'verify' and bool(lines))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
