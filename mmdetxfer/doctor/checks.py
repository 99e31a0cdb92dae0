"""Judges what was observed of an installation: one function a topic.

A finding is a problem if it would stop a training, a note if it stops something else or
if nobody has tested it. Nothing here looks at the machine.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mmdetxfer.doctor.observing import Observed

PYTHON_RANGE = ((3, 11), (3, 12))
TORCH_RANGE = ((2, 6), (2, 14))
SETUPTOOLS_RANGE = ((77,), (82,))
# Versions that belong together, by distribution; beside each the module to import.
HOSTS = {
    'mmengine': ('0.10.7', 'mmengine'),
    'mmcv': ('2.1.0', 'mmcv'),
    'mmdet': ('3.3.0', 'mmdet.models'),
    'mmsegmentation': ('1.2.2', 'mmseg.models'),
    'mmpretrain': ('1.2.0', 'mmpretrain.models'),
}
OPENMIM = '0.3.9'
LIBRARIES = ('numpy', 'torchvision', 'cv2', 'numba', 'scipy', 'pyarrow', 'safetensors')
_PACKAGES = {'cv2': 'opencv-python'}
SETUP = 'bash tools/setup_env.sh'
INSTALL_MMCV = (
    "pip install 'setuptools>=77,<82' wheel ninja && MMCV_WITH_OPS=1 pip install "
    '--no-build-isolation --no-cache-dir --no-binary mmcv mmcv==2.1.0'
)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table: what was found, and the cure if it needs one."""

    level: Literal['ok', 'note', 'problem']
    topic: str
    found: str
    cure: str = ''


def findings(seen: Observed) -> list[Finding]:
    """Judge an installation; the order is that of the table."""
    return [finding for check in _CHECKS for finding in check(seen)]


def check_python(seen: Observed) -> Iterator[Finding]:
    """Python's version, and whether the checkout's own environment is in use."""
    found = f'{_dotted(seen.python)} in {seen.prefix}'
    own = seen.checkout and seen.checkout / '.venv'
    if not _is_within(seen.python, PYTHON_RANGE):
        cure = f'PYTHON=/path/to/python3.11 {SETUP}'
        yield Finding('problem', 'Python', f'{found}, expected 3.11', cure)
    elif own and own.is_dir() and str(own.resolve()) != seen.prefix:
        cure = '.venv/bin/python tools/doctor.py'
        yield Finding('note', 'Python', f'{found}, not in {own}', cure)
    else:
        yield Finding('ok', 'Python', found)


def check_package(seen: Observed) -> Iterator[Finding]:
    """This package itself: installed, with its registered modules and mim's files."""
    version = seen.versions.get('mmdetxfer')
    error = seen.error('mmdetxfer.registry')
    cure = _cure(seen, 'pip install mmdetxfer')
    if version is None:
        yield Finding('problem', 'mmdetxfer', 'not installed', cure)
    elif error:
        yield Finding('problem', 'mmdetxfer', f'{version}: {error}', cure)
    elif not seen.has_mim_files:
        found = f'{version}, without the files that mim looks for'
        yield Finding('note', 'mmdetxfer', found, cure)
    else:
        how = 'editable' if seen.is_editable else 'from a wheel'
        yield Finding('ok', 'mmdetxfer', f'{version}, {how}')


def check_torch(seen: Observed) -> Iterator[Finding]:
    """Whether torch imports, and is in the range that safe loading and mmcv need."""
    version = seen.versions.get('torch')
    error = seen.error('torch_facts')
    facts = seen.facts('torch_facts')
    wanted = "'torch>=2.6,<2.14'"
    cure = _cure(seen, f'pip install {wanted} torchvision && {INSTALL_MMCV}')
    if version is None:
        yield Finding('problem', 'torch', 'not installed', cure)
    elif not _is_within(_numbers(version), TORCH_RANGE):
        found = f'{version}, expected >=2.6,<2.14'
        yield Finding('problem', 'torch', found, cure)
    elif error:
        yield Finding('problem', 'torch', f'{version}: {error}', cure)
    else:
        cuda = facts.get('cuda')
        built = f'built with CUDA {cuda}' if cuda else 'built for the CPU alone'
        yield Finding('ok', 'torch', f'{facts.get("version", version)}, {built}')


def check_gpu(seen: Observed) -> Iterator[Finding]:
    """Which GPUs there are, and whether torch can use them."""
    usable = seen.facts('torch_facts').get('gpus', [])
    if usable:
        yield Finding('ok', 'GPU', ', '.join(usable))
    elif seen.gpus and seen.facts('torch_facts'):
        found = f'{", ".join(seen.gpus)}, but torch cannot use it'
        if seen.facts('torch_facts').get('cuda'):
            cure = 'install a newer NVIDIA driver: nvidia-smi shows its CUDA version'
        else:
            cure = _cure(seen, 'pip install --force-reinstall torch torchvision')
        yield Finding('problem', 'GPU', found, cure)
    elif seen.gpus:
        yield Finding('ok', 'GPU', ', '.join(seen.gpus))
    else:
        yield Finding('ok', 'GPU', 'none, training runs on the CPU')


def check_hosts(seen: Observed) -> Iterator[Finding]:
    """The five hosts: there, importable, and of the versions that belong together."""
    for name, (expected, module) in HOSTS.items():
        version = seen.versions.get(name)
        error = seen.error(module)
        by_hand = INSTALL_MMCV if name == 'mmcv' else f'pip install {name}=={expected}'
        cure = _cure(seen, by_hand)
        if version is None:
            yield Finding('problem', name, f'not installed, expected {expected}', cure)
        elif error:
            yield Finding('problem', name, f'{version}: {error}', cure)
        elif version != expected:
            found = f'{version}, tested only with {expected}'
            yield Finding('note', name, found, cure)
        else:
            yield Finding('ok', name, version)


def check_ops(seen: Observed) -> Iterator[Finding]:
    """Look at mmcv's ops: there at all, running, and compiled for the GPUs in use."""
    if 'mmcv' not in seen.versions:
        return
    facts = seen.facts('ops_facts')
    cure = _cure(seen, INSTALL_MMCV)
    built = facts.get('cuda', 'not available')
    error = seen.error('mmcv._ext') or seen.error('cpu_ops')
    if error:
        yield Finding('problem', 'mmcv ops', error, cure)
    elif not seen.facts('torch_facts').get('gpus'):
        built = 'the CPU' if built == 'not available' else f'CUDA {built}'
        compiler = facts.get('compiler', 'an unknown compiler')
        yield Finding('ok', 'mmcv ops', f'compiled for {built} with {compiler}')
    elif built == 'not available':
        yield Finding('problem', 'mmcv ops', 'compiled for the CPU alone', cure)
    elif seen.error('cuda_ops'):
        found = f'compiled for CUDA {built}: {seen.error("cuda_ops")}'
        yield Finding('problem', 'mmcv ops', found, cure)
    else:
        yield Finding('ok', 'mmcv ops', f'compiled for CUDA {built}, run on each GPU')


def check_mim(seen: Observed) -> Iterator[Finding]:
    """openmim, which nothing but the mim command needs."""
    version = seen.versions.get('openmim')
    cure = _cure(seen, f"pip install 'mmdetxfer[mim]' && {_INSTALL_MIM}")
    if version is None:
        yield Finding('note', 'mim', 'not installed', cure)
    elif seen.error('mim.cli'):
        yield Finding('note', 'mim', f'{version}: {seen.error("mim.cli")}', cure)
    elif seen.is_editable:
        found = f'{version}; it does not see this editable install'
        yield Finding('note', 'mim', found, 'pip install .')
    else:
        yield Finding('ok', 'mim', version)


def check_mixture(seen: Observed) -> Iterator[Finding]:
    """Packages that write the same modules over each other."""
    forks = sorted(name for name in seen.versions if name.startswith('onedl-'))
    upstream = sorted({*HOSTS, 'openmim'} & set(seen.versions))
    others = sorted({'mmcv-full', 'mmcv-lite'} & set(seen.versions))
    if forks and upstream:
        found = f'{", ".join(forks)} beside {", ".join(upstream)}'
        cure = f'pip uninstall -y {" ".join(forks + upstream)} && {_cure(seen, _ALL)}'
        yield Finding('problem', 'mixed packages', found, cure)
    elif forks:
        found = f'{", ".join(forks)}: the forks are not tested'
        yield Finding('note', 'forks', found)
    if others:
        found = f'{", ".join(others)} beside or instead of mmcv'
        cure = (
            f'pip uninstall -y {" ".join(others)} mmcv && {_cure(seen, INSTALL_MMCV)}'
        )
        yield Finding('problem', 'mixed packages', found, cure)
    opencv = sorted(name for name in seen.versions if name.startswith('opencv-'))
    if len(opencv) > 1:
        cure = f'pip uninstall -y {" ".join(opencv)} && pip install opencv-python'
        found = f'{", ".join(opencv)}: all write the module cv2'
        yield Finding('note', 'mixed packages', found, cure)


def check_setuptools(seen: Observed) -> Iterator[Finding]:
    """setuptools, of which mmengine imports pkg_resources for ``mmdet::`` configs."""
    version = seen.versions.get('setuptools')
    cure = _cure(seen, "pip install 'setuptools>=77,<82'")
    error = seen.error('pkg_resources')
    if version is None or error:
        found = f'{version or "not installed"}: mmdet:: configs need pkg_resources'
        yield Finding('problem', 'setuptools', found, cure)
    elif not _is_within(_numbers(version), SETUPTOOLS_RANGE):
        level = 'note' if _numbers(version) < SETUPTOOLS_RANGE[0] else 'problem'
        yield Finding(level, 'setuptools', f'{version}, expected >=77,<82', cure)
    else:
        yield Finding('ok', 'setuptools', version)


def check_libraries(seen: Observed) -> Iterator[Finding]:
    """What is imported beside the hosts; only what is broken is listed."""
    for module in LIBRARIES:
        error = seen.error(module)
        if error and module == 'cv2' and seen.missing_packages:
            cure = f'apt-get install -y {" ".join(seen.missing_packages)}'
            yield Finding('problem', module, error, cure)
        elif error:
            cure = _cure(
                seen, f'pip install --force-reinstall {_PACKAGES.get(module, module)}'
            )
            yield Finding('problem', module, error, cure)


def check_damage(seen: Observed) -> Iterator[Finding]:
    """Distributions whose files are not all there."""
    for name, reason in sorted(seen.damaged.items()):
        pinned = f'{name}=={seen.versions.get(name, "")}'
        cure = _cure(seen, f'pip install --force-reinstall --no-deps {pinned}')
        yield Finding('problem', name, f'damaged: {reason}', cure)


_INSTALL_MIM = f'pip install --no-deps openmim=={OPENMIM}'
_ALL = f"pip install 'mmdetxfer[openmmlab]' && {INSTALL_MMCV}"
_CHECKS = (
    check_python,
    check_package,
    check_torch,
    check_gpu,
    check_hosts,
    check_ops,
    check_mim,
    check_mixture,
    check_setuptools,
    check_libraries,
    check_damage,
)


def _cure(seen: Observed, by_hand: str) -> str:
    """A checkout's set-up cures most things; elsewhere it takes a command."""
    return SETUP if seen.checkout else by_hand


def _dotted(version: tuple[int, ...]) -> str:
    return '.'.join(map(str, version))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release, without what a local build adds."""
    return tuple(int(part) for part in re.findall(r'\d+', version.split('+')[0])[:3])


def _is_within(version: tuple[int, ...], limits: tuple[tuple[int, ...], ...]) -> bool:
    return limits[0] <= version < limits[1]
