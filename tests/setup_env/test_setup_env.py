"""tools/setup_env.sh with a fake pip: what it does, repairs, refuses, leaves alone."""

import re
import time

import pytest

MOMENTS = [
    'venv',
    'half a file of setuptools',
    'no RECORD of pip',
    'no RECORD of torch',
    'half a file of torchvision',
    'no RECORD of mmdet',
    'half a file of openmim',
    'half a wheel',
    'half a file of mmcv',
    'no RECORD of mmcv',
    'check',
]


def test_a_fresh_set_up_says_its_steps_and_ends_ready(sandbox):
    output = sandbox.run()
    for step in range(1, 6):
        assert f'{step}/5 ' in output
    assert 'done in' in output
    assert '.venv is ready' in sandbox.run()


def test_a_second_run_is_quick_asks_pip_nothing_and_changes_no_file(finished):
    before = finished.files()
    stamps = {p: p.stat().st_mtime_ns for p in finished.root.rglob('*') if p.is_file()}
    start = time.monotonic()
    assert finished.run() == '[setup] .venv is ready\n'
    assert time.monotonic() - start < 20
    assert finished.journal() == []
    assert finished.files() == before
    after = {p: p.stat().st_mtime_ns for p in finished.root.rglob('*') if p.is_file()}
    assert {p: t for p, t in after.items() if p.suffix != '.pyc'} == {
        p: t for p, t in stamps.items() if p.suffix != '.pyc'
    }


@pytest.mark.parametrize('moment', MOMENTS)
def test_a_set_up_that_was_killed_is_repaired_by_the_next(sandbox, finished, moment):
    sandbox.run_killed_at(moment)
    assert not (sandbox.root / '.venv' / 'mmdetxfer-setup.txt').exists()
    assert 'done in' in sandbox.run()
    mine, theirs = sandbox.files(), finished.files()
    for files in (mine, theirs):
        for place_dependent in ('pyvenv.cfg', 'mmdetxfer-setup.txt'):
            files.pop(place_dependent)
    paths = {str(sandbox.root): 'ROOT', str(finished.root): 'ROOT'}
    for path, root in paths.items():
        mine = {k: v.replace(path, root) for k, v in mine.items()}
        theirs = {k: v.replace(path, root) for k, v in theirs.items()}
    assert mine == theirs
    assert sandbox.run() == '[setup] .venv is ready\n'


def test_an_environment_whose_python_is_gone_is_made_again(sandbox):
    sandbox.run()
    python = sandbox.root / '.venv' / 'bin' / 'python'
    python.unlink()
    python.symlink_to('/nowhere/python3.11')
    assert 'making it again' in sandbox.run()
    assert '.venv is ready' in sandbox.run()


def test_a_file_that_vanished_from_a_finished_environment_is_put_back(sandbox):
    sandbox.run()
    lost = sandbox.root / '.venv' / 'lib' / 'python3.11' / 'site-packages' / 'numba.py'
    lost.unlink()
    sandbox.journal()
    assert 'numba 0.68.1 is damaged: numba.py is missing' in sandbox.run()
    assert lost.exists()
    assert 'no RECORD of torch' not in sandbox.journal()


def test_a_repair_that_is_killed_leaves_nothing_that_passes_for_ready(sandbox):
    sandbox.run()
    (sandbox.root / '.venv/lib/python3.11/site-packages/numba.py').unlink()
    sandbox.run_killed_at('half a file of numba')
    assert not (sandbox.root / '.venv' / 'mmdetxfer-setup.txt').exists()
    assert 'done in' in sandbox.run()


def test_an_edit_in_a_finished_environment_is_left_alone(sandbox):
    sandbox.run()
    edited = (
        sandbox.root / '.venv' / 'lib' / 'python3.11' / 'site-packages' / 'mmdet.py'
    )
    edited.write_text('x = 1\nprint("looking for a bug")\n')
    assert sandbox.run() == '[setup] .venv is ready\n'
    assert 'looking for a bug' in edited.read_text()


@pytest.mark.parametrize('file', ['pyproject.toml', 'tools/constraints.txt'])
def test_a_changed_requirement_runs_the_set_up_again(sandbox, file):
    sandbox.run()
    with open(sandbox.root / file, 'a') as changed:
        changed.write('\n# changed\n')
    assert 'done in' in sandbox.run()


def test_a_moved_checkout_is_set_up_again(sandbox):
    sandbox.run()
    moved = sandbox.root.with_name('moved checkout')
    sandbox.root.rename(moved)
    sandbox.root = moved
    assert 'making it again' in sandbox.run()


def test_two_set_ups_at_once_install_once_and_both_succeed(sandbox):
    first = sandbox.start(FAKE_DELAY_S='0.1')
    time.sleep(0.5)
    second = sandbox.start(FAKE_DELAY_S='0.1')
    outputs = [p.communicate(timeout=100)[0] for p in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert 'another set-up of this folder is running' in outputs[1]
    assert '.venv is ready' in outputs[1]
    assert sandbox.journal().count('no RECORD of torch') == 1


def test_every_pip_call_is_held_to_the_pinned_versions(sandbox):
    sandbox.run()
    installs = [line for line in sandbox.journal() if line.startswith('install')]
    by_name = [line for line in installs if '.whl' not in line]
    assert len(by_name) == 4
    for line in by_name:
        assert '-c ROOT/tools/constraints.txt' in line
        assert '--no-build-isolation' in line
    assert any('--no-deps openmim' in line for line in by_name)


def test_offline_installs_look_only_into_the_folder(sandbox, tmp_path):
    folder = tmp_path / 'wheels'
    folder.mkdir()
    sandbox.run('--offline', str(folder), PIP_INDEX_URL='must not be used')
    calls = [
        line for line in sandbox.journal() if line.startswith(('install', 'wheel'))
    ]
    assert calls
    for line in calls:
        assert f'--no-index --find-links {folder}' in line or '.whl' in line


def test_pythons_of_other_versions_are_refused_with_the_cure(sandbox):
    other = sandbox.home / 'bin' / 'python3.12'
    other.write_text('#!/bin/sh\necho 3.12\n')
    other.chmod(0o755)
    output = sandbox.run(code=1, PYTHON=str(other))
    assert 'Python 3.11 is needed' in output
    assert 'python3.12 is 3.12' in output
    assert 'apt-get install python3.11' in output


def test_what_a_slim_image_lacks_is_named_before_anything_is_installed(sandbox):
    output = sandbox.run(code=1, CXX='no-such-compiler')
    assert 'lacks g++. Install with: apt-get install -y g++' in output
    assert sandbox.journal() == []


def test_a_command_that_fails_is_shown_with_its_output_and_the_log(sandbox):
    python = sandbox.home / 'python'
    python.write_text(python.read_text().replace('fake_pip.py', 'no_such_pip.py'))
    output = sandbox.run(code=1)
    assert re.search('no_such_pip.py.*No such file', output)
    assert f'this failed: {python} -P -m venv' in output
    assert 'setup_env.log' in output


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--download'], 'expected one folder after --download'),
        (['--offline', '/nowhere'], '--offline: there is no folder /nowhere'),
        (['--fast'], 'expected --download DIR, --offline DIR or nothing, came: --fast'),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(finished, arguments, message):
    output = finished.run(*arguments, code=1)
    assert message in output
    assert output.count('\n') == 1


def test_help_is_the_head_of_the_script(finished):
    output = finished.run('--help')
    assert output.startswith('Makes .venv in the repository')
    assert 'MMDETXFER_WHEELS' in output
