"""tools/analysis_tools/check_resume.py tells exact resuming from inexact resuming.

The training that it kills here is a script of a second that counts; the real ones are
killed in ``tests/engine`` and, fifty times over, by the command itself.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys

import pytest
from tool_runner import REPOSITORY

COUNTING = """
import sys, time
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file

assert sys.argv[1] == 'config.py' and sys.argv[2] == '--work-dir'
folder = Path(sys.argv[3])
(folder / 'arguments.txt').write_text(' '.join(sys.argv))
saved = folder / 'saved.txt'
is_resumed = '--resume' in sys.argv and saved.is_file()
done, total = map(int, saved.read_text().split()) if is_resumed else (0, 0)
total += FORGOTTEN * is_resumed
saved.write_text(f'{done} {total}')
(folder / 'config.py').write_text('')
while done < 10:
    time.sleep(0.1)
    done, total = done + 1, total + done
    (folder / 'saving').write_text(f'{done} {total}')
    (folder / 'saving').rename(saved)
    (folder / 'last_checkpoint').write_text(str(folder / 'last.safetensors'))
if BREAKS:
    sys.exit('broken')
save_file({'total': np.full(2, total)}, folder / 'last.safetensors')
"""


@pytest.fixture
def check(tmp_path):
    """Run the tool over a counting training, which may be faulty."""
    (tmp_path / 'analysis_tools').mkdir()
    tool = REPOSITORY / 'tools/analysis_tools/check_resume.py'
    shutil.copy(tool, tmp_path / 'analysis_tools')

    def run(forgotten=0, breaks=0, *options):
        text = COUNTING.replace('FORGOTTEN', f'{forgotten}')
        (tmp_path / 'train.py').write_text(text.replace('BREAKS', f'{breaks}'))
        options = ('--work-dir', 'out', '--repetitions', '3', '--jobs', '3', *options)
        return subprocess.run(
            [sys.executable, 'analysis_tools/check_resume.py', 'config.py', *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
        )

    return run


def test_exact_trainings_pass_and_are_not_done_twice(check, tmp_path):
    ended = check()
    assert ended.returncode == 0, ended.stderr
    assert '3 of 3 equal the undisturbed training (' in ended.stdout
    results = sorted((tmp_path / 'out').glob('*/result.json'))
    moments = [json.loads(path.read_text())['killed_after_s'] for path in results]
    assert len({str(moment) for moment in moments}) == 3
    # A training that could no longer succeed shows that none is started.
    again = check(0, 1)
    assert again.returncode == 0 and '3 of 3 equal' in again.stdout


def test_a_training_that_forgets_on_resume_is_caught(check):
    ended = check(100)
    assert ended.returncode == 1
    # What ends before its kill has nothing to forget.
    killed = int(re.search(r'\((\d) kills', ended.stdout).group(1))
    assert killed > 0
    assert f'{3 - killed} of 3 equal the undisturbed training' in ended.stdout
    assert 'differs: state_dict.total' in ended.stdout
    assert f'error: {killed} resumed trainings differ, see above' in ended.stderr


def test_a_training_that_fails_by_itself_is_said(check):
    ended = check(0, 1)
    assert ended.returncode == 1
    assert 'the undisturbed training failed (exit code 1); see' in ended.stderr


def test_other_options_change_the_moments_and_the_number_of_kills(check, tmp_path):
    ended = check(0, 0, '--seed', '1', '--kills', '2', '--cfg-options', 'a=1')
    assert ended.returncode == 0, ended.stderr
    result = json.loads((tmp_path / 'out/000/result.json').read_text())
    whole = json.loads((tmp_path / 'out/undisturbed/undisturbed.json').read_text())
    moments = random.Random('1 0')
    drawn = [moments.uniform(0.0, whole['seconds']) for _ in range(2)]
    # None: it had ended before.
    found = zip(result['killed_after_s'], drawn, strict=True)
    assert all(moment in (None, expected) for moment, expected in found)
    assert (tmp_path / 'out/000/arguments.txt').read_text().endswith('a=1')
