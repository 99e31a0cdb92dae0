"""Gathers what can be seen of an installation, without importing any of it here.

Versions come from the metadata; imports and ops are tried in a child, since a broken
extension may kill its process: then the next child goes on behind the probe that died.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmdetxfer.doctor.distributions import damage, installed_distributions
from mmdetxfer.doctor.machine import missing_for_running

_PACKAGE = Path(__file__).resolve().parents[1]
_PROBE_FILE = Path(__file__).with_name('import_probe.py')
_TIMEOUT_S = 600
PROBES = (
    'torch_facts torchvision numpy numba cv2 scipy pyarrow safetensors rich '
    'pkg_resources mmengine mmcv mmcv._ext ops_facts cpu_ops cuda_ops mmdet.models '
    'mmseg.models mmpretrain.models mim.cli mmdetxfer.registry'
).split()


@dataclass(frozen=True)
class Observed:
    """What was seen of one installation.

    Attributes:
        python: The version of Python, e.g. ``(3, 11, 7)``.
        prefix: The environment in use.
        versions: Version by normalised distribution name.
        damaged: What is wrong with a distribution's files, by name.
        answers: For each probe its ``error`` (None if it worked) and ``facts``.
        gpus: The GPUs that the driver's tool lists.
        missing_packages: Debian packages of libraries that opencv-python would load.
        checkout: The repository if the package lies in one, else None.
        is_editable: Whether the package in use was installed editable.
        has_mim_files: Whether mim's files are beside the package.
    """

    python: tuple[int, ...]
    prefix: str
    versions: dict[str, str]
    damaged: dict[str, str] = field(default_factory=dict)
    answers: dict[str, dict] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()
    missing_packages: tuple[str, ...] = ()
    checkout: Path | None = None
    is_editable: bool = False
    has_mim_files: bool = True

    def error(self, probe: str) -> str | None:
        """Return why a probe failed; None if it worked or was not tried."""
        return self.answers.get(probe, {}).get('error')

    def facts(self, probe: str) -> dict:
        """Return what a probe found; empty if it failed or was not tried."""
        return self.answers.get(probe, {}).get('facts', {})


def observe() -> Observed:
    """Look at the installation of the Python that runs this."""
    present = installed_distributions()
    own = present.get('mmdetxfer')
    broken = {name: damage(dist) for name, dist in present.items()}
    return Observed(
        python=tuple(sys.version_info[:3]),
        prefix=sys.prefix,
        versions={name: dist.version for name, dist in present.items()},
        damaged={name: reason for name, reason in broken.items() if reason},
        answers=run_probes(PROBES),
        gpus=_listed_gpus(),
        missing_packages=tuple(missing_for_running()),
        checkout=_checkout(),
        is_editable='"editable": true'
        in (own and own.read_text('direct_url.json') or ''),
        has_mim_files=all(
            (_PACKAGE / '.mim' / name).exists()
            for name in ('tools', 'configs', 'model-index.yml')
        ),
    )


def run_probes(probes: Sequence[str]) -> dict[str, dict]:
    """Run probes in a child, and what is left of them in another if it dies."""
    answers: dict[str, dict] = {}
    left = list(probes)
    while left:
        lines, end = _run_child(left)
        for line in lines:
            if 'probe' in line:
                answers[line['probe']] = line
        begun = [line['started'] for line in lines if 'started' in line]
        died_in = begun[-1] if begun else left[0]
        answers.setdefault(died_in, {'error': f'its process {end}', 'facts': {}})
        left = [probe for probe in left if probe not in answers]
    return answers


def _run_child(probes: Sequence[str]) -> tuple[list[dict], str]:
    """Return the child's lines and, in words, how it ended."""
    command = [sys.executable, '-P', str(_PROBE_FILE), *probes]
    environment = {**os.environ, 'PYTHONWARNINGS': 'ignore'}
    try:
        child = subprocess.run(
            command, capture_output=True, timeout=_TIMEOUT_S, env=environment
        )
        output, end = child.stdout, f'ended with code {child.returncode}'
        if child.returncode < 0:
            end = f'was killed by signal {-child.returncode}'
    except subprocess.TimeoutExpired as expired:
        output, end = expired.stdout or b'', f'took more than {_TIMEOUT_S} s'
    lines = output.decode(errors='replace').splitlines()
    return [json.loads(line) for line in lines if line.endswith('}')], end


def _listed_gpus() -> tuple[str, ...]:
    """Return the GPUs by the driver's own tool, whatever torch thinks."""
    tool = shutil.which('nvidia-smi')
    if not tool:
        return ()
    try:
        answer = subprocess.run(
            [tool, '-L'], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(re.findall(r'^GPU \d+: (.*?)(?: \(UUID.*)?$', answer.stdout, re.M))


def _checkout() -> Path | None:
    root = _PACKAGE.parent
    return root if (root / 'tools' / 'setup_env.sh').is_file() else None
