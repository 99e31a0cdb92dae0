"""Wheel, source package and editable install hold what mim and users need."""

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from mmdetxfer import __version__
from mmdetxfer.doctor.distributions import normalised, read_pins
from mmdetxfer.mim_packaging import MIM_SOURCES, copy_mim_files, link_mim_files

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
# Distributions whose module has another name.
MODULE_NAMES = {
    'opencv-python': 'cv2',
    'scikit-learn': 'sklearn',
    'mmsegmentation': 'mmseg',
    'pillow': 'PIL',
}
# What another declared distribution requires, so that it is always there.
COMES_WITH = {
    'mmcv': 'the set-up',
    'matplotlib': 'mmengine',
    'pycocotools': 'mmdet',
    'markupsafe': 'jinja2',
}


def copy_of_the_repository(folder: Path) -> Path:
    """Copy what a build reads, without what earlier builds and installs left."""
    for name in ('mmdetxfer', *MIM_SOURCES, 'pyproject.toml', 'README.md', 'LICENSE'):
        source = REPOSITORY / name
        if source.is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '.mim')
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    return folder


def build(kind: str, project: Path, output: Path) -> Path:
    """Build a 'wheel', 'sdist' or 'editable' with the backend that pip would call."""
    code = (
        'import sys; from setuptools import build_meta; '
        'print(getattr(build_meta, "build_" + sys.argv[1])(sys.argv[2]))'
    )
    output.mkdir(exist_ok=True)
    command = [sys.executable, '-P', '-c', code, kind, str(output)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output / done.stdout.splitlines()[-1]


def names_in(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A copy to build in; it also holds small data files beside the modules."""
    project = copy_of_the_repository(tmp_path_factory.mktemp('project'))
    (project / 'mmdetxfer' / 'worlds' / 'data').mkdir(exist_ok=True)
    (project / 'mmdetxfer' / 'worlds' / 'data' / 'names.txt').write_text('dog\n')
    (project / 'tools' / '__pycache__').mkdir()
    (project / 'tools' / '__pycache__' / 'train.pyc').write_text('')
    return project


@pytest.fixture(scope='module')
def wheel(project, tmp_path_factory):
    return build('wheel', project, tmp_path_factory.mktemp('wheel'))


def test_the_wheel_holds_each_tool_and_config_where_mim_looks(project, wheel):
    archive = zipfile.ZipFile(wheel)
    for source in ('tools', 'configs'):
        files = [p for p in (REPOSITORY / source).rglob('*') if p.is_file()]
        kept = [p for p in files if '__pycache__' not in p.parts]
        assert kept
        for file in kept:
            name = f'mmdetxfer/.mim/{file.relative_to(REPOSITORY)}'
            assert archive.read(name) == file.read_bytes()
    index = archive.read('mmdetxfer/.mim/model-index.yml')
    assert index == (REPOSITORY / 'model-index.yml').read_bytes()


def test_the_wheel_holds_modules_and_data_but_no_byte_code_tests_or_strangers(wheel):
    names = names_in(wheel)
    assert 'mmdetxfer/worlds/data/names.txt' in names
    assert 'mmdetxfer/doctor/checks.py' in names
    assert not [name for name in names if name.endswith('.pyc')]
    tops = {name.split('/')[0] for name in names}
    assert tops == {'mmdetxfer', f'mmdetxfer-{__version__}.dist-info'}


def test_the_wheel_states_the_version_of_the_package_and_its_licence(wheel):
    archive = zipfile.ZipFile(wheel)
    info = f'mmdetxfer-{__version__}.dist-info'
    metadata = archive.read(f'{info}/METADATA').decode()
    assert f'\nVersion: {__version__}\n' in metadata
    assert '\nLicense-Expression: Apache-2.0\n' in metadata
    licence = archive.read(f'{info}/licenses/LICENSE')
    assert licence == (REPOSITORY / 'LICENSE').read_bytes()


def test_a_wheel_built_in_the_same_tree_again_forgets_what_was_deleted(tmp_path):
    project = copy_of_the_repository(tmp_path)
    (project / 'mmdetxfer' / 'old_module.py').write_text('')
    (project / 'configs' / 'old_config.py').write_text('')
    old = {'mmdetxfer/old_module.py', 'mmdetxfer/.mim/configs/old_config.py'}
    first = names_in(build('wheel', project, tmp_path / 'first'))
    assert old <= first
    (project / 'mmdetxfer' / 'old_module.py').unlink()
    (project / 'configs' / 'old_config.py').unlink()
    assert names_in(build('wheel', project, tmp_path / 'second')) == first - old


def test_a_wheel_from_the_source_package_equals_one_from_the_tree(
    project, wheel, tmp_path
):
    source = build('sdist', project, tmp_path / 'sdist')
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter='data')
    (unpacked,) = tmp_path.glob('mmdetxfer-*')
    assert names_in(build('wheel', unpacked, tmp_path / 'wheel')) == names_in(wheel)


def test_an_editable_install_links_to_the_originals_and_so_again(tmp_path):
    project = copy_of_the_repository(tmp_path)
    for attempt in ('first', 'second'):
        build('editable', project, tmp_path / attempt)
        mim = project / 'mmdetxfer' / '.mim'
        assert sorted(path.name for path in mim.iterdir()) == sorted(MIM_SOURCES)
        for name in MIM_SOURCES:
            assert (mim / name).is_symlink()
            assert (mim / name).resolve() == (project / name).resolve()
            assert not Path((mim / name).readlink()).is_absolute()


def test_links_of_an_editable_install_do_not_change_the_wheel(tmp_path, wheel):
    project = copy_of_the_repository(tmp_path)
    link_mim_files(project)
    names = names_in(build('wheel', project, tmp_path / 'wheel'))
    assert names == names_in(wheel) - {'mmdetxfer/worlds/data/names.txt'}


def test_links_replace_copies_and_broken_links(tmp_path):
    project = copy_of_the_repository(tmp_path)
    copy_mim_files(project, project / 'mmdetxfer' / '.mim')
    link_mim_files(project)
    assert (project / 'mmdetxfer' / '.mim' / 'tools').is_symlink()
    index = project / 'mmdetxfer' / '.mim' / 'model-index.yml'
    index.unlink()
    index.symlink_to('/nowhere')
    link_mim_files(project)
    assert index.read_text() == (REPOSITORY / 'model-index.yml').read_text()


def test_a_tree_without_what_mim_needs_is_refused(tmp_path):
    (tmp_path / 'tools').mkdir()
    with pytest.raises(FileNotFoundError, match='configs is missing'):
        copy_mim_files(tmp_path, tmp_path / 'target')


def test_file_names_of_configs_and_tools_are_unique_in_the_installed_package(wheel):
    """Mim searches configs and tools by file name alone, over the whole package."""
    names = [Path(n) for n in names_in(wheel) if n.startswith('mmdetxfer/')]
    count = Counter(path.name for path in names)
    ours = [p for p in names if '.mim' in p.parts and p.suffix in ('.py', '.sh')]
    assert len(ours) > 5
    assert [str(p) for p in ours if count[p.name] > 1] == []


def declared(extras: list[str]) -> set[str]:
    """Return the module names of the declared requirements."""
    lists = [PROJECT['optional-dependencies'][extra] for extra in extras]
    lines = [line for lines in lists for line in lines] + PROJECT['dependencies']
    names = [re.match(r'[\w.-]+', line)[0] for line in lines]
    return {MODULE_NAMES.get(normalised(name), name) for name in names}


def imported_by(folder: Path) -> dict[str, Path]:
    """Return the foreign top-level modules that a folder's files import."""
    found = {}
    for file in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            heads = {name.split('.')[0] for name in names}
            # A script finds what lies beside it.
            heads = {one for one in heads if not file.with_name(f'{one}.py').is_file()}
            found |= dict.fromkeys(heads, file)
    own = {*sys.stdlib_module_names, 'mmdetxfer'}
    return {name: file for name, file in found.items() if name not in own}


@pytest.mark.parametrize('folder', ['mmdetxfer', 'tools'])
def test_whatever_is_imported_is_declared(folder):
    known = declared(['openmmlab', 'study']) | set(COMES_WITH)
    imported = imported_by(REPOSITORY / folder)
    # What a benchmark compares with is a dependency of tests alone.
    compared = declared(['dev'])
    imported = {
        name: file
        for name, file in imported.items()
        if not (name in compared and file.parent.name == 'benchmarks')
    }
    assert {name: str(f) for name, f in imported.items() if name not in known} == {}


def test_the_pins_name_each_declared_requirement_that_the_set_up_installs():
    pins = read_pins(REPOSITORY / 'tools' / 'constraints.txt')
    extras = PROJECT['optional-dependencies']
    lines = list(PROJECT['dependencies'])
    for extra in ('openmmlab', 'mim', 'study', 'timm', 'dev'):
        lines += extras[extra]
    names = {normalised(re.match(r'[\w.-]+', line)[0]) for line in lines}
    assert names - set(pins) == set()
    assert {'mmcv', 'openmim', 'pip', 'setuptools', 'wheel', 'ninja'} <= set(pins)


def test_no_file_names_the_host_of_a_package_index():
    hosts = ('py' + 'pi.org', 'python' + 'hosted.org', 'download.py' + 'torch.org')
    command = ['git', 'ls-files', '-co', '--exclude-standard']
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip('not a git checkout')
    files = [REPOSITORY / name for name in listed.stdout.splitlines()]
    texts = {f: f.read_bytes().decode(errors='replace') for f in files if f.is_file()}
    assert [str(f) for f, text in texts.items() if any(h in text for h in hosts)] == []
