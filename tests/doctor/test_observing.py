"""The doctor's eyes: children that die, modules that hang, a Python without any."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmdetxfer.doctor import import_probe, machine, observing
from mmdetxfer.doctor.observing import run_probes

REPOSITORY = Path(__file__).resolve().parents[2]
PROBE = REPOSITORY / 'mmdetxfer' / 'doctor' / 'import_probe.py'


@pytest.fixture
def modules(tmp_path, monkeypatch) -> Path:
    """A folder of modules that the probes' children can import."""
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    (tmp_path / 'fine.py').write_text('__version__ = "1.2"\n')
    (tmp_path / 'deadly.py').write_text('import os\nos.abort()\n')
    (tmp_path / 'leaving.py').write_text('import sys\nsys.exit("go away")\n')
    (tmp_path / 'hanging.py').write_text('import time\ntime.sleep(60)\n')
    (tmp_path / 'loud.py').write_text('print("{\\"probe\\": \\"fine\\"}")\n')
    return tmp_path


def test_a_module_that_imports_answers_with_its_version(modules):
    answers = run_probes(['fine'])
    assert answers['fine']['error'] is None
    assert answers['fine']['facts'] == {'version': '1.2'}


def test_a_module_that_kills_its_process_is_named_and_the_rest_is_still_asked(modules):
    answers = run_probes(['fine', 'deadly', 'json'])
    assert answers['deadly']['error'] == 'its process was killed by signal 6'
    assert answers['fine']['error'] is None
    assert answers['json']['error'] is None


def test_a_module_that_exits_or_is_missing_answers_with_its_error(modules):
    answers = run_probes(['leaving', 'no_such_module'])
    assert answers['leaving']['error'] == 'SystemExit: go away'
    expected = "ModuleNotFoundError: No module named 'no_such_module'"
    assert answers['no_such_module']['error'] == expected


def test_a_module_that_hangs_is_given_up(modules, monkeypatch):
    monkeypatch.setattr(observing, '_TIMEOUT_S', 1)
    answers = run_probes(['hanging', 'fine'])
    assert answers['hanging']['error'] == 'its process took more than 1 s'
    assert answers['fine']['error'] is None


def test_what_a_module_prints_is_no_answer(modules):
    answers = run_probes(['loud'])
    assert set(answers) == {'loud'}


def test_the_probe_fails_if_any_import_fails():
    command = [sys.executable, '-P', str(PROBE), 'json']
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert subprocess.run([*command, 'absent'], capture_output=True).returncode == 1


def test_the_ops_that_are_installed_run_on_the_cpu():
    answers = run_probes(['torch_facts', 'ops_facts', 'cpu_ops', 'cuda_ops'])
    assert {name: answer['error'] for name, answer in answers.items()} == dict.fromkeys(
        answers
    )
    assert answers['torch_facts']['facts']['version'].startswith('2.')


def test_ops_that_keep_the_wrong_boxes_are_an_error(monkeypatch):
    ops = pytest.importorskip('mmcv.ops')
    import torch

    monkeypatch.setattr(ops, 'nms', lambda *_: (None, torch.tensor([0, 1])))
    answer = import_probe.probe('cpu_ops')
    assert answer['error'] == 'RuntimeError: nms on cpu kept [0, 1], expected [0, 2]'


def test_ops_for_the_cpu_alone_do_not_pass_for_cuda_ops(monkeypatch):
    built = {'cuda': 'not available', 'compiler': 'GCC'}
    monkeypatch.setattr(import_probe, 'ops_facts', lambda: built)
    assert 'for the CPU alone' in import_probe.probe('cuda_build')['error']
    built['cuda'] = '13.0'
    assert import_probe.probe('cuda_build')['error'] is None


def test_the_doctor_runs_on_a_python_that_has_nothing(tmp_path):
    """A bare interpreter, outside the repository, without site-packages."""
    command = [sys._base_executable, '-S', str(REPOSITORY / 'tools' / 'doctor.py')]
    environment = {'PATH': os.environ['PATH']}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ''
    for line in (
        'problem  torch',
        'problem  mmengine',
        'cure: bash tools/setup_env.sh',
    ):
        assert line in done.stdout


def test_the_doctor_finds_this_installation_fit_to_train():
    command = [sys.executable, str(REPOSITORY / 'tools' / 'doctor.py')]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert 'nothing here would stop a training' in done.stdout


def test_the_gpus_of_the_driver_are_read_by_name(tmp_path, monkeypatch):
    tool = tmp_path / 'nvidia-smi'
    tool.write_text('#!/bin/sh\necho "GPU 0: NVIDIA H200 (UUID: GPU-1)"\n')
    tool.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    assert observing._listed_gpus() == ('NVIDIA H200',)
    monkeypatch.setenv('PATH', str(tmp_path / 'nowhere'))
    assert observing._listed_gpus() == ()


def test_the_machine_names_missing_libraries_by_their_packages(monkeypatch):
    assert machine.missing_for_running() == []
    monkeypatch.setattr(machine, '_loads', lambda library: library != 'libGL.so.1')
    assert machine.missing_for_running() == ['libgl1']
    monkeypatch.setattr(machine.importlib.util, 'find_spec', lambda name: None)
    assert machine.missing_for_running() == ['libgl1', 'python3.11-venv']


def test_a_library_that_is_not_there_does_not_load():
    assert machine._loads('libc.so.6')
    assert not machine._loads('libno-such-thing.so.1')


def test_the_machine_names_a_missing_compiler_and_missing_headers(
    monkeypatch, tmp_path
):
    monkeypatch.setenv('CXX', 'no-such-compiler -pipe')
    monkeypatch.setattr(machine.sysconfig, 'get_path', lambda name: str(tmp_path))
    assert machine.missing_for_building() == ['g++', 'python3.11-dev']
    (tmp_path / 'Python.h').write_text('')
    assert machine.missing_for_building() == ['g++']
    monkeypatch.setenv('CXX', sys.executable)
    assert machine.missing_for_building() == []


def test_the_answers_are_json_lines_with_a_start_for_each():
    command = [sys.executable, '-P', str(PROBE), 'json']
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    assert [json.loads(line).get('started') for line in lines] == ['json', None]
