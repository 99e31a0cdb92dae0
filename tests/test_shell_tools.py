"""The commands of the README and of the automatic check, with a recording Python."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
# Writes down how it was called, and fails where told to.
PYTHON = """#!/bin/sh
echo "$*" >>calls
case "$*" in *"$FAIL_AT"*) echo 'the reason'; exit 3 ;; esac
"""
PYTEST = '-m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15'


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout with the shell tools, a recording Python, and no real set-up."""
    root = tmp_path / 'checkout'
    python = root / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    for folder in ('.ci', 'tools'):
        (root / folder).mkdir(parents=True)
    for name in ('.ci/run', 'tools/run_tests.sh', 'tools/quickstart.sh'):
        shutil.copy(REPOSITORY / name, root / name)
    (root / 'tools' / 'setup_env.sh').write_text('echo "set up" >>calls\n')
    return root


def run(root: Path, *command: str, code: int = 0, **settings: str) -> str:
    """Run a command from another folder and return what it printed."""
    environment = {'PATH': os.environ['PATH'], 'FAIL_AT': 'nowhere', **settings}
    done = subprocess.run(
        [*command],
        cwd=root.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def calls(root: Path) -> list[str]:
    return (root / 'calls').read_text().splitlines()


def test_run_tests_sets_up_checks_the_style_and_passes_arguments_to_pytest(checkout):
    run(checkout, 'bash', 'checkout/tools/run_tests.sh', '-k', 'a name')
    assert calls(checkout) == [
        'set up',
        '-m ruff check .',
        '-m ruff format --check .',
        f'{PYTEST} -k a name',
    ]


@pytest.mark.parametrize(
    ('step', 'last_call'),
    [
        ('ruff check', '-m ruff check .'),
        ('ruff format', '-m ruff format --check .'),
        ('pytest', PYTEST),
    ],
)
def test_run_tests_fails_where_a_step_fails(checkout, step, last_call):
    run(checkout, 'bash', 'checkout/tools/run_tests.sh', code=3, FAIL_AT=step)
    assert calls(checkout)[-1] == last_call


@pytest.mark.parametrize(
    ('arguments', 'study', 'jobs'),
    [
        ((), 'embedded', 2),
        (('--fast',), 'embedded_fast', 2),
        (('--seeds', '3', '4'), 'embedded_seeds', 4),
    ],
)
def test_the_quick_start_makes_the_worlds_and_runs_a_study(
    checkout, arguments, study, jobs
):
    run(checkout, 'bash', 'checkout/tools/quickstart.sh', *arguments)
    setup, source, target, labels, last = calls(checkout)
    assert setup == 'set up'
    assert source.startswith('tools/make_world.py --out work_dirs/world_source')
    assert target.startswith('tools/make_world.py --out work_dirs/world_small')
    assert labels.startswith('tools/dataset_converters/voc_sbd.py')
    assert last == f'tools/study.py run configs/studies/{study}.py --jobs {jobs}'
    assert (REPOSITORY / f'configs/studies/{study}.py').is_file()


@pytest.mark.parametrize('wrong', [('--seeds', '2'), ('--seeds',), ('slow',), ('0',)])
def test_the_quick_start_refuses_other_arguments_before_it_begins(checkout, wrong):
    output = run(checkout, 'bash', 'checkout/tools/quickstart.sh', *wrong, code=1)
    assert output.startswith('error: ') and 'expected' in output
    assert not (checkout / 'calls').is_file()


def test_the_quick_start_stops_where_a_step_fails(checkout):
    command = ('bash', 'checkout/tools/quickstart.sh')
    run(checkout, *command, code=3, FAIL_AT='world_small --size')
    assert not any('study.py' in line for line in calls(checkout))


@pytest.mark.parametrize('present', [True, False])
def test_the_automatic_check_names_its_neighbours_only_where_they_exist(
    checkout, present
):
    shared = checkout.parent / 'shared'
    report = 'echo "$MMDETXFER_WHEELS|$MMDETXFER_REFERENCE_DATA"\n'
    (checkout / 'tools' / 'run_tests.sh').write_text(report)
    if present:
        (shared / 'wheels' / 'torch-2.11.0').mkdir(parents=True)
        (shared / 'data').mkdir()
    wheels, data = run(checkout, 'checkout/.ci/run').strip().split('|')
    if present:
        assert os.path.samefile(wheels, shared / 'wheels' / 'torch-2.11.0')
        assert os.path.samefile(data, shared / 'data')
    else:
        assert (wheels, data) == ('', '')


def test_the_hooks_before_a_commit_are_local():
    hooks = yaml.safe_load((REPOSITORY / '.pre-commit-config.yaml').read_text())
    assert [repository['repo'] for repository in hooks['repos']] == ['local']


@pytest.mark.parametrize('path', ['.ci/run'])
def test_what_is_run_by_its_name_is_executable(path):
    assert os.access(REPOSITORY / path, os.X_OK)


def test_every_shell_script_parses():
    scripts = [*(REPOSITORY / 'tools').rglob('*.sh'), REPOSITORY / '.ci' / 'run']
    for script in scripts:
        subprocess.run(['bash', '-n', str(script)], check=True)
