"""Each thing that the doctor knows, shown on an installation described by hand."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from mmdetxfer.doctor import Finding, Observed, findings
from mmdetxfer.doctor.checks import HOSTS, INSTALL_MMCV, OPENMIM
from mmdetxfer.doctor.distributions import read_pins

REPOSITORY = Path(__file__).resolve().parents[2]
HEALTHY = Observed(
    python=(3, 11, 9),
    prefix='/usr',
    versions={
        'mmdetxfer': '0.1.0',
        'torch': '2.11.0',
        'setuptools': '81.0.0',
        'openmim': '0.3.9',
        'opencv-python': '5.0.0.93',
        'mmengine': '0.10.7',
        'mmcv': '2.1.0',
        'mmdet': '3.3.0',
        'mmsegmentation': '1.2.2',
        'mmpretrain': '1.2.0',
    },
    answers={
        'torch_facts': {
            'error': None,
            'facts': {'version': '2.11.0+cu130', 'cuda': '13.0', 'gpus': []},
        },
        'ops_facts': {
            'error': None,
            'facts': {'cuda': 'not available', 'compiler': 'GCC 12.2'},
        },
    },
)
CHECKOUT = replace(HEALTHY, checkout=Path('/home/user/mmdetxfer'))


def with_versions(**versions: str | None) -> Observed:
    """Return the healthy installation with other versions; None is not installed."""
    merged = {
        **HEALTHY.versions,
        **{k.replace('_', '-'): v for k, v in versions.items()},
    }
    return replace(HEALTHY, versions={k: v for k, v in merged.items() if v})


def with_error(probe: str, error: str, seen: Observed = HEALTHY) -> Observed:
    return replace(seen, answers={**seen.answers, probe: {'error': error, 'facts': {}}})


def with_gpu(ops_cuda: str, ops_error: str | None = None) -> Observed:
    """Return the healthy installation with a GPU that torch can use."""
    facts = {'version': '2.11.0', 'cuda': '13.0', 'gpus': ['NVIDIA H200']}
    answers = {
        'torch_facts': {'error': None, 'facts': facts},
        'ops_facts': {'error': None, 'facts': {'cuda': ops_cuda, 'compiler': 'GCC'}},
        'cuda_ops': {'error': ops_error, 'facts': {}},
    }
    return replace(HEALTHY, answers=answers, gpus=('NVIDIA H200',))


def not_ok(seen: Observed) -> list[Finding]:
    return [finding for finding in findings(seen) if finding.level != 'ok']


def the_one(seen: Observed) -> Finding:
    (finding,) = not_ok(seen)
    return finding


def test_a_healthy_installation_has_no_finding_but_ok():
    assert not_ok(HEALTHY) == []
    topics = [finding.topic for finding in findings(HEALTHY)]
    assert set(HOSTS) | {'Python', 'torch', 'GPU', 'mmcv ops', 'mim'} <= set(topics)


@pytest.mark.parametrize('python', [(3, 10, 14), (3, 12, 0)])
def test_another_python_is_a_problem(python):
    finding = the_one(replace(HEALTHY, python=python))
    assert finding.level == 'problem'
    assert 'expected 3.11' in finding.found


def test_a_python_beside_the_environment_of_the_checkout_is_a_note(tmp_path):
    (tmp_path / '.venv').mkdir()
    finding = the_one(replace(HEALTHY, checkout=tmp_path))
    assert finding.level == 'note'
    assert finding.cure == '.venv/bin/python tools/doctor.py'
    inside = replace(HEALTHY, checkout=tmp_path, prefix=str(tmp_path / '.venv'))
    assert not_ok(inside) == []


@pytest.mark.parametrize('name', ['mmdetxfer', 'torch', 'setuptools', *HOSTS])
def test_what_is_not_installed_is_a_problem(name):
    found = {
        finding.topic: finding for finding in not_ok(with_versions(**{name: None}))
    }
    assert found[name].level == 'problem'
    assert 'not installed' in found[name].found


@pytest.mark.parametrize('name', list(HOSTS))
def test_a_host_that_does_not_import_is_a_problem_with_its_error(name):
    module = HOSTS[name][1]
    finding = the_one(with_error(module, "ModuleNotFoundError: No module named 'ftfy'"))
    assert (finding.level, finding.topic) == ('problem', name)
    assert "No module named 'ftfy'" in finding.found


def test_a_host_of_another_version_is_a_note():
    finding = the_one(with_versions(mmdet='3.2.0'))
    assert (finding.level, finding.found) == ('note', '3.2.0, tested only with 3.3.0')
    assert finding.cure == 'pip install mmdet==3.3.0'


@pytest.mark.parametrize(
    ('version', 'is_fine'),
    [('2.5.1', False), ('2.6.0', True), ('2.13.1+cpu', True), ('2.14.0', False)],
)
def test_torch_is_a_problem_outside_its_range(version, is_fine):
    found = not_ok(with_versions(torch=version))
    assert (found == []) is is_fine
    assert all(f.level == 'problem' and '>=2.6,<2.14' in f.found for f in found)


@pytest.mark.parametrize(
    ('version', 'level'),
    [('60.2.0', 'note'), ('76.1.0', 'note'), ('77.0.1', None), ('82.0.0', 'problem')],
)
def test_setuptools_above_its_range_stops_configs_and_below_it_stops_wheels(
    version, level
):
    levels = [finding.level for finding in not_ok(with_versions(setuptools=version))]
    assert levels == ([level] if level else [])


def test_setuptools_without_pkg_resources_is_a_problem():
    finding = the_one(with_error('pkg_resources', 'ModuleNotFoundError'))
    assert (finding.level, finding.topic) == ('problem', 'setuptools')


@pytest.mark.parametrize('probe', ['mmcv._ext', 'cpu_ops'])
def test_ops_that_do_not_load_are_a_problem(probe):
    finding = the_one(with_error(probe, 'ImportError: undefined symbol: _ZN3c10'))
    assert (finding.level, finding.topic) == ('problem', 'mmcv ops')
    assert finding.cure == INSTALL_MMCV


def test_ops_for_the_cpu_alone_are_fine_without_a_gpu_and_a_problem_with_one():
    (fine,) = [f for f in findings(HEALTHY) if f.topic == 'mmcv ops']
    assert fine.found == 'compiled for the CPU with GCC 12.2'
    finding = the_one(with_gpu('not available'))
    assert (finding.level, finding.topic) == ('problem', 'mmcv ops')


def test_ops_for_another_gpu_are_a_problem():
    assert not_ok(with_gpu('13.0')) == []
    finding = the_one(with_gpu('13.0', 'RuntimeError: no kernel image'))
    assert finding.found == 'compiled for CUDA 13.0: RuntimeError: no kernel image'


def test_a_gpu_that_torch_cannot_use_is_a_problem_of_the_driver_or_of_torch():
    driver = the_one(replace(HEALTHY, gpus=('NVIDIA H200',)))
    assert (driver.level, driver.topic) == ('problem', 'GPU')
    assert 'driver' in driver.cure
    facts = {'version': '2.11.0+cpu', 'cuda': None, 'gpus': []}
    answers = {**HEALTHY.answers, 'torch_facts': {'error': None, 'facts': facts}}
    build = the_one(replace(HEALTHY, gpus=('NVIDIA H200',), answers=answers))
    assert 'pip install --force-reinstall torch' in build.cure


def test_forks_beside_upstream_packages_are_a_problem():
    finding = the_one(with_versions(onedl_mmdetection='3.5.1'))
    assert (finding.level, finding.topic) == ('problem', 'mixed packages')
    assert finding.found.startswith('onedl-mmdetection beside mmcv, mmdet')
    assert finding.cure.startswith('pip uninstall -y onedl-mmdetection mmcv mmdet')


def test_forks_alone_are_a_note_beside_the_missing_upstream_packages():
    upstream = dict.fromkeys([*HOSTS, 'openmim'])
    found = not_ok(with_versions(onedl_mmengine='0.10.12', **upstream))
    assert [f.level for f in found if f.topic == 'forks'] == ['note']
    assert not any(f.topic == 'mixed packages' for f in found)


@pytest.mark.parametrize('name', ['mmcv_full', 'mmcv_lite'])
def test_another_mmcv_is_a_problem(name):
    finding = the_one(with_versions(**{name: '1.7.2'}))
    assert (finding.level, finding.topic) == ('problem', 'mixed packages')


def test_two_opencv_packages_are_a_note():
    finding = the_one(with_versions(opencv_python_headless='5.0.0.93'))
    assert finding.level == 'note'
    assert 'opencv-python, opencv-python-headless' in finding.found


def test_mim_is_a_note_if_absent_broken_or_blind_to_an_editable_install():
    assert the_one(with_versions(openmim=None)).found == 'not installed'
    assert 'No module' in the_one(with_error('mim.cli', 'No module')).found
    blind = the_one(replace(HEALTHY, is_editable=True))
    assert (blind.level, blind.cure) == ('note', 'pip install .')


def test_a_package_without_the_files_of_mim_is_a_note():
    finding = the_one(replace(HEALTHY, has_mim_files=False))
    assert (finding.level, finding.topic) == ('note', 'mmdetxfer')


def test_our_registry_that_does_not_import_is_a_problem():
    finding = the_one(with_error('mmdetxfer.registry', 'SyntaxError: x'))
    assert (finding.level, finding.topic) == ('problem', 'mmdetxfer')


def test_opencv_without_its_libraries_is_cured_by_the_systems_packages():
    error = 'ImportError: libGL.so.1: cannot open shared object file'
    slim = replace(with_error('cv2', error), missing_packages=('libgl1', 'libxcb1'))
    assert the_one(slim).cure == 'apt-get install -y libgl1 libxcb1'
    whole = with_error('cv2', 'ImportError: numpy.core.multiarray failed')
    assert the_one(whole).cure == 'pip install --force-reinstall opencv-python'


def test_a_library_that_does_not_import_is_a_problem():
    finding = the_one(with_error('numba', 'its process was killed by signal 4'))
    assert (finding.level, finding.topic) == ('problem', 'numba')


def test_a_damaged_distribution_is_a_problem():
    finding = the_one(replace(HEALTHY, damaged={'mmdet': 'its RECORD is missing'}))
    assert finding.found == 'damaged: its RECORD is missing'
    assert finding.cure.endswith('--no-deps mmdet==3.3.0')


def test_in_a_checkout_the_set_up_is_the_cure_and_elsewhere_a_command_is():
    missing = {**HEALTHY.versions}
    del missing['mmcv']
    assert the_one(replace(HEALTHY, versions=missing)).cure == INSTALL_MMCV
    inside = the_one(replace(CHECKOUT, versions=missing))
    assert inside.cure == 'bash tools/setup_env.sh'


def test_every_problem_comes_with_a_cure():
    nothing = Observed(python=(3, 9, 1), prefix='/usr', versions={})
    problems = [f for f in findings(nothing) if f.level == 'problem']
    assert len(problems) == 9
    assert all(finding.cure for finding in problems)


def test_the_doctor_the_metadata_and_the_pins_state_the_same_versions():
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())
    pins = read_pins(REPOSITORY / 'tools' / 'constraints.txt')
    declared = project['project']['optional-dependencies']['openmmlab']
    assert {name: version for name, (version, _) in HOSTS.items()} == {
        name: pins[name] for name in HOSTS
    }
    assert {d for d in declared if '==' in d} == {
        f'{name}=={version}' for name, (version, _) in HOSTS.items() if name != 'mmcv'
    }
    assert pins['openmim'] == OPENMIM
    assert project['project']['requires-python'] == '>=3.11,<3.12'
    assert 'torch>=2.6,<2.14' in project['project']['dependencies']
    assert project['build-system']['requires'] == ['setuptools>=77,<82']
    assert (
        not_ok(with_versions(torch=pins['torch'], setuptools=pins['setuptools'])) == []
    )


def test_the_two_line_command_for_mmcv_is_that_of_the_readme():
    readme = (REPOSITORY / 'README.md').read_text()
    joined = re.sub(r'\\\n\s*', '', readme).replace('\n', ' && ')
    assert INSTALL_MMCV in joined
