"""Nobody pays for what he does not use: the pure layer and the bare package stay light.

Each check runs in a fresh interpreter, since this one has imported everything.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PURE_PACKAGES = ('chips', 'scoring', 'probes', 'analysis', 'worlds')
HOSTS_AND_PLOTS = {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'matplotlib'}
# Imports every module of the packages named on the command line, found on disk, and
# prints all that was imported with them.
IMPORT_ALL = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, '__path__', []), name + '.'):
        importlib.import_module(module.name)
print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))
"""


def imported_with(*packages: str, folder: Path = REPOSITORY) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds afterwards."""
    command = [sys.executable, '-c', IMPORT_ALL, str(folder), *packages]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def pure_packages() -> list[str]:
    present = [p for p in PURE_PACKAGES if (REPOSITORY / 'mmdetxfer' / p).is_dir()]
    return [f'mmdetxfer.{name}' for name in present]


def test_the_pure_layer_imports_no_host_and_no_matplotlib():
    assert 'mmdetxfer.worlds' in pure_packages()
    assert imported_with(*pure_packages()) & HOSTS_AND_PLOTS == set()


def test_the_check_of_the_pure_layer_can_fail(tmp_path):
    """A host that is imported deep inside a package is found."""
    inner = tmp_path / 'impure' / 'inner'
    inner.mkdir(parents=True)
    (inner.parent / '__init__.py').write_text('')
    (inner / '__init__.py').write_text('')
    (inner / 'deep.py').write_text('from mmengine.config import Config\n')
    assert 'mmengine' in imported_with('impure', folder=tmp_path) & HOSTS_AND_PLOTS


def test_importing_the_package_imports_no_host_and_nothing_heavy():
    imported = imported_with('mmdetxfer.installed_configs')
    assert 'mmdetxfer' in imported
    assert imported & (HOSTS_AND_PLOTS | {'torch', 'numpy', 'cv2', 'numba'}) == set()


def test_the_doctor_imports_only_the_standard_library():
    imported = imported_with('mmdetxfer.doctor')
    foreign = imported - set(sys.stdlib_module_names) - {'mmdetxfer'}
    assert {name for name in foreign if not name.startswith('_')} <= {
        'sitecustomize',
        'usercustomize',
        # what a .pth file of the environment imports at each start
        *imported_with(),
    }


def test_importing_the_package_takes_less_than_200_ms():
    """The median of five, without the interpreter's own start."""
    code = (
        'import time; start = time.perf_counter(); import mmdetxfer; '
        'print(time.perf_counter() - start)'
    )
    seconds = [
        float(subprocess.check_output([sys.executable, '-c', code], cwd=REPOSITORY))
        for _ in range(5)
    ]
    assert statistics.median(seconds) < 0.2


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_the_help_of_a_tool_that_mim_asks_first_comes_in_two_seconds(tool):
    """Mim runs ``train.py -h`` before each training; torch alone takes 3 s."""
    code = (
        'import runpy, sys; sys.argv = [sys.argv[1], "-h"]\n'
        'try:\n    runpy.run_path(sys.argv[0], run_name="__main__")\n'
        'except SystemExit:\n    print("torch" in sys.modules)'
    )
    path = REPOSITORY / 'tools' / tool
    command = [sys.executable, '-c', code, str(path)]
    output = subprocess.check_output(command, text=True, cwd=REPOSITORY)
    assert 'usage' in output
    assert output.splitlines()[-1] == 'False'
