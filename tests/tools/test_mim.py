"""mim works from an installed wheel: train, test, run, gridsearch and search.

The wheel is installed into a throwaway environment that borrows the site packages of
the one that runs the tests, but neither an editable install of this package nor its
sources.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from tool_runner import CLS, DET, REPOSITORY, SEG, clean_environment

SOURCES = ('mmdetxfer', 'tools', 'configs', 'model-index.yml')
SOURCES += ('pyproject.toml', 'README.md', 'LICENSE')
ONE_EPOCH = ('--cfg-options', 'train_cfg.max_epochs=1')


class Environment:
    """The throwaway environment with the wheel in it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        venv.create(folder / 'env', with_pip=False, symlinks=True)
        self.python = folder / 'env' / 'bin' / 'python'
        self.site = next((folder / 'env' / 'lib').glob('python*/site-packages'))
        (self.site / 'borrowed.pth').write_text(str(borrowed_packages(folder)))
        self.variables = {**clean_environment(), 'HOME': str(folder)}
        # Not compiled: what is compiled later was imported by a run.
        options = ('--no-deps', '--no-index', '--no-compile', '--target', self.site)
        pip = (sys.executable, '-P', '-m', 'pip', 'install', '--quiet', *options, wheel)
        subprocess.run(pip, check=True, env=self.variables)
        self.package = self.site / 'mmdetxfer'

    def mim(self, *arguments, cwd: Path) -> str:
        """Run mim as its program does, in a folder, and return what it printed."""
        command = (self.python, '-m', 'mim', *map(str, arguments))
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout


def borrowed_packages(folder: Path) -> Path:
    """Link all that is installed for the tests, but nothing of this package.

    A ``.pth`` file in a folder that another ``.pth`` file names is not read, so that
    the finders of editable installs stay out.
    """
    links = folder / 'borrowed'
    links.mkdir()
    for entry in Path(sysconfig.get_path('purelib')).iterdir():
        if 'mmdetxfer' not in entry.name and entry.suffix != '.pth':
            (links / entry.name).symlink_to(entry)
    return links


@pytest.fixture(scope='module')
def installed(tmp_path_factory) -> Environment:
    """An environment with a wheel of the present sources, built from a copy of them."""
    folder = tmp_path_factory.mktemp('wheel')
    ignored = shutil.ignore_patterns('__pycache__', '.mim')
    for name in SOURCES:
        source, target = REPOSITORY / name, folder / 'sources' / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    options = ('--no-build-isolation', '--no-deps', '--no-index', '--wheel-dir', folder)
    subprocess.run(
        (sys.executable, '-P', '-m', 'pip', 'wheel', '--quiet', *options, '.'),
        cwd=folder / 'sources',
        env=clean_environment(),
        check=True,
    )
    shutil.rmtree(folder / 'sources')
    return Environment(folder, next(folder.glob('*.whl')))


@pytest.fixture(scope='module')
def run_once(installed, world, tmp_path_factory) -> tuple[Path, str]:
    """The folder and the output of ``mim train`` with a config's bare name."""
    folder = tmp_path_factory.mktemp('run_once')
    (folder / 'work_dirs').mkdir()
    (folder / 'work_dirs/world_tiny').symlink_to(world / 'work_dirs/world_tiny')
    assert not list(installed.package.rglob('*.pyc'))
    return folder, installed.mim('train', 'mmdetxfer', CLS.name, *ONE_EPOCH, cwd=folder)


def test_mim_train_runs_the_wheels_tool_on_the_wheels_config(installed, run_once):
    """The compiled file beside a module proves that it was imported from there."""
    folder, printed = run_once
    mim = installed.package / '.mim'
    assert f'{mim}/tools/train.py {mim}/configs/tiny/{CLS.name}' in printed
    assert 'Training finished successfully' in printed
    assert '--gpus' not in printed and '--device' not in printed
    for module in ('engine/launching', 'engine/exact_runner', 'checkpoints/writing'):
        module = installed.package / module
        assert list((module.parent / '__pycache__').glob(f'{module.name}.*.pyc'))
    assert (folder / 'work_dirs' / CLS.stem / 'epoch_1.pth').is_file()


def test_mim_train_with_the_pytorch_launcher_trains_with_two_ranks(installed, run_once):
    """It uses torch.distributed.launch, which hands --local-rank to the tool."""
    folder, _ = run_once
    options = ('--launcher', 'pytorch', '--gpus', '2', '--work-dir', 'two')
    arguments = ('train', 'mmdetxfer', CLS.name, *options, '--resume', *ONE_EPOCH)
    printed = installed.mim(*arguments, cwd=folder)
    assert 'torch.distributed.launch --nproc_per_node=2' in printed
    assert 'nothing to resume in two' in printed
    code = (
        'import sys, torch\n'
        'saved = torch.load(sys.argv[1], weights_only=True)\n'
        'print(saved["mmdetxfer_progress"]["world_size"])\n'
    )
    ranks = subprocess.check_output(
        [sys.executable, '-P', '-c', code, folder / 'two/epoch_1.pth'], text=True
    )
    assert ranks == '2\n'


def test_mim_test_writes_predictions(installed, run_once):
    folder, _ = run_once
    checkpoint = folder / 'work_dirs' / CLS.stem / 'epoch_1.pth'
    options = ('--checkpoint', checkpoint, '--out', 'p.npz')
    printed = installed.mim('test', 'mmdetxfer', CLS.name, *options, cwd=folder)
    assert f'{installed.package}/.mim/tools/test.py' in printed
    assert 'accuracy/top1' in printed
    assert (folder / 'p.npz').is_file()


def test_mim_gridsearch_trains_with_the_value_that_is_searched(installed, run_once):
    """mim writes the whole config out and trains that, so it must be complete."""
    folder, _ = run_once
    search = ('--search-args', '--optim_wrapper.optimizer.lr 0.25')
    where = ('--work-dir', 'grid', *ONE_EPOCH)
    arguments = ('gridsearch', 'mmdetxfer', CLS.name, *search, *where)
    printed = installed.mim(*arguments, cwd=folder)
    work_dir = folder / 'grid_search_optim_wrapper.optimizer.lr_0.25'
    assert (work_dir / 'epoch_1.pth').is_file()
    assert re.search(r'Epoch\(train\).* lr: 2\.5000e-01', printed)


def test_mim_run_finds_our_tools_and_the_hosts(installed, run_once):
    folder, _ = run_once
    config = installed.package / '.mim' / 'configs' / 'tiny' / DET.name
    printed = installed.mim('run', 'mmdetxfer', 'print_config', config, cwd=folder)
    assert "type='RetinaNet'" in printed
    printed = installed.mim('run', 'mmdet', 'get_flops', config, cwd=folder)
    assert re.search(r'Flops: *[\d.]+', printed)


def test_mim_run_finds_each_of_our_tools_by_a_name_of_its_own(installed):
    """mim takes the shortest path of equal names, with a warning."""
    tools = installed.package / '.mim' / 'tools'
    names = [path.name for path in tools.rglob('*.py')]
    assert {'train.py', 'test.py', 'print_config.py', 'make_world.py'} <= set(names)
    assert len(set(names)) == len(names)
    scripts = {path.name for path in tools.glob('*.sh')}
    assert {'dist_train.sh', 'dist_test.sh', 'launch_ranks.sh'} <= scripts
    assert {'slurm_train.sh', 'slurm_test.sh'} <= scripts
    for name in ('dist_train.sh', 'slurm_train.sh'):
        assert os.access(tools / name, os.X_OK)


def test_mim_search_reads_the_model_index(installed, tmp_path):
    printed = installed.mim('search', 'mmdetxfer', cwd=tmp_path)
    for config in (CLS, DET, SEG):
        assert config.stem in printed
