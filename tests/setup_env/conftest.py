"""A copy of the set-up, with a Python whose environments hold a fake pip."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PINS = (
    'pip==26.3 setuptools==81.0.0 wheel==0.48.0 ninja==1.13.2 torch==2.11.0 '
    'torchvision==0.26.0 mmcv==2.1.0 openmim==0.3.9 cv2==5.0.0 mmengine==0.10.7 '
    'mmdet==3.3.0 mmsegmentation==1.2.2 mmpretrain==1.2.0 numba==0.68.1 pyarrow==26.0.1'
)
# Makes an environment in two steps, so that it can be killed with half of one.
FAKE_PYTHON = """#!/bin/sh
if [ "$1 $2 $3" = '-P -m venv' ]; then
  echo venv >>"$FAKE_JOURNAL"
  {real} -m venv --without-pip "$4"
  [ "$FAKE_KILL_AT" != venv ] || kill -9 0
  mkdir "$4/lib/python3.11/site-packages/pip"
  cp {pip} "$4/lib/python3.11/site-packages/pip/__main__.py"
else
  exec {real} "$@"
fi
"""


@dataclass
class Sandbox:
    """A checkout with only what the set-up reads, and a cache and tools of its own."""

    root: Path
    home: Path

    def environment(self, **settings: str) -> dict[str, str]:
        return {
            'PATH': f'{self.home / "bin"}:/usr/bin:/bin',
            'HOME': str(self.home),
            'CUDA_HOME': str(self.home / 'cuda'),
            'PYTHON': str(self.home / 'python'),
            'FAKE_JOURNAL': str(self.home / 'journal'),
            'FAKE_KILL_AT': '',
            **settings,
        }

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen:
        return subprocess.Popen(
            ['bash', str(self.root / 'tools' / 'setup_env.sh'), *arguments],
            env=self.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0, **settings: str) -> str:
        """Run the set-up to its end and return what it printed."""
        process = self.start(*arguments, **settings)
        output, _ = process.communicate(timeout=100)
        assert process.returncode == code, output
        return output

    def run_killed_at(self, event: str, **settings: str) -> None:
        self.run(code=-signal.SIGKILL, FAKE_KILL_AT=event, **settings)

    def journal(self) -> list[str]:
        """Return what the fake pip was asked since the last call."""
        file = self.home / 'journal'
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def files(self) -> dict[str, str]:
        """Return the environment's files with their text, but for byte code."""
        venv = self.root / '.venv'
        found = (path for path in venv.rglob('*') if path.is_file())
        return {
            str(path.relative_to(venv)): path.read_text()
            for path in found
            if not path.is_symlink() and path.suffix != '.pyc'
        }

    def cached_wheels(self) -> list[Path]:
        return sorted((self.home / '.cache').rglob('*.whl'))

    def add_gpu(self, capability: str, with_nvcc: bool) -> None:
        tool = self.home / 'bin' / 'nvidia-smi'
        tool.write_text(f'#!/bin/sh\necho {capability}\n')
        tool.chmod(0o755)
        if with_nvcc:
            nvcc = self.home / 'cuda' / 'bin' / 'nvcc'
            nvcc.parent.mkdir(parents=True)
            nvcc.write_text('#!/bin/sh\n')
            nvcc.chmod(0o755)


def make_sandbox(folder: Path) -> Sandbox:
    sandbox = Sandbox(folder / 'checkout', folder / 'home')
    (sandbox.home / 'bin').mkdir(parents=True)
    (sandbox.root / 'tools').mkdir(parents=True)
    for name in ('setup_env.sh', 'setup_mmcv.sh'):
        shutil.copy(REPOSITORY / 'tools' / name, sandbox.root / 'tools')
    (sandbox.root / 'tools' / 'constraints.txt').write_text('\n'.join(PINS.split()))
    shutil.copy(REPOSITORY / 'pyproject.toml', sandbox.root)
    package = sandbox.root / 'mmdetxfer'
    shutil.copytree(REPOSITORY / 'mmdetxfer' / 'doctor', package / 'doctor')
    (package / '__init__.py').write_text('')
    python = sandbox.home / 'python'
    pip = Path(__file__).with_name('fake_pip.py')
    real = os.path.realpath(sys.executable)
    python.write_text(FAKE_PYTHON.replace('{real}', real).replace('{pip}', str(pip)))
    python.chmod(0o755)
    (sandbox.home / 'bin' / 'nvidia-smi').write_text('#!/bin/sh\nexit 9\n')
    (sandbox.home / 'bin' / 'nvidia-smi').chmod(0o755)
    return sandbox


@pytest.fixture
def sandbox(tmp_path):
    return make_sandbox(tmp_path)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A sandbox whose set-up is done; a test must not change it."""
    sandbox = make_sandbox(tmp_path_factory.mktemp('finished'))
    sandbox.run()
    sandbox.journal()
    return sandbox
