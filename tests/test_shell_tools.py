"""The commands of the README and of the automatic check, with a recording Python."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
# Writes down how it was called, prints what a training prints, and fails where told to.
PYTHON = """#!/bin/sh
echo "$*" >>calls
echo 'Epoch(val) [2][1/1]    accuracy: 25.0'
case "$*" in *"$FAIL_AT"*) echo 'the reason'; exit 3 ;; esac
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout with the shell tools, a recording Python, and no real set-up."""
    root = tmp_path / 'checkout'
    python = root / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    for folder in ('.ci', 'tools', 'configs/tiny'):
        (root / folder).mkdir(parents=True)
    for name in ('.ci/run', 'tools/run_tests.sh', 'tools/quickstart.sh'):
        shutil.copy(REPOSITORY / name, root / name)
    (root / 'tools' / 'setup_env.sh').write_text('echo "set up" >>calls\n')
    for config in (REPOSITORY / 'configs' / 'tiny').glob('*.py'):
        shutil.copy(config, root / 'configs' / 'tiny')
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
        '-m pytest -n 2 --dist loadfile --durations=15 -k a name',
    ]


@pytest.mark.parametrize(
    ('step', 'last_call'),
    [
        ('ruff check', '-m ruff check .'),
        ('ruff format', '-m ruff format --check .'),
        ('pytest', '-m pytest -n 2 --dist loadfile --durations=15'),
    ],
)
def test_run_tests_fails_where_a_step_fails(checkout, step, last_call):
    run(checkout, 'bash', 'checkout/tools/run_tests.sh', code=3, FAIL_AT=step)
    assert calls(checkout)[-1] == last_call


def test_the_quick_start_makes_the_world_and_trains_a_config_of_each_task(checkout):
    output = run(checkout, 'bash', 'checkout/tools/quickstart.sh')
    setup, world, *trainings = calls(checkout)
    assert setup == 'set up'
    assert world.startswith(
        'tools/make_world.py --out work_dirs/world_tiny --size tiny'
    )
    configs = sorted(
        path.stem for path in (checkout / 'configs' / 'tiny').glob('tiny_*.py')
    )
    assert (
        sorted(line.split('--work-dir work_dirs/')[1] for line in trainings) == configs
    )
    summary = output.split('done. ')[1]
    assert all(f'work_dirs/{config}/' in summary for config in configs)
    assert summary.count('Epoch(val) [2][1/1]    accuracy: 25.0') == len(configs)
    assert {name.split('_')[1] for name in configs} == {'det', 'seg', 'cls'}


def test_the_quick_start_shows_why_a_training_failed_and_stops(checkout):
    output = run(
        checkout, 'bash', 'checkout/tools/quickstart.sh', code=1, FAIL_AT='_seg_'
    )
    assert 'the reason' in output
    assert 'error: this training failed' in output
    assert not any('tiny_cls_' in line for line in calls(checkout))


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
