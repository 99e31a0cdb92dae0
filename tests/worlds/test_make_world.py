"""tools/make_world.py as a user calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from mmdetxfer.worlds.world import DEFAULT_FORMATS, FORMATS

ROOT = Path(__file__).parents[2]
TOOL = str(ROOT / 'tools' / 'make_world.py')


def call(*args, code=None):
    """Run the tool; with ``code``, run it inside a program that goes on with it."""
    program = [TOOL] if code is None else ['-c', code]
    return subprocess.run(
        [sys.executable, *program, *map(str, args)],
        env=dict(os.environ, PYTHONPATH=str(ROOT), COLUMNS='120'),
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """All formats of a tiny world, and what the tool said and imported."""
    folder = tmp_path_factory.mktemp('worlds') / 'tiny'
    code = (
        'import runpy, sys; sys.argv[0] = "make_world.py"; '
        f'runpy.run_path({TOOL!r}, run_name="__main__"); '
        'print("MODULES", *sorted({name.split(".")[0] for name in sys.modules}))'
    )
    run = call('--out', folder, '--size', 'tiny', '--preview', code=code)
    assert run.returncode == 0, run.stderr
    return folder, run.stdout


def test_a_tiny_world_has_a_folder_and_attributes_of_every_format(tiny):
    folder, said = tiny
    for name in DEFAULT_FORMATS:
        chosen = FORMATS[name]
        assert any((folder / chosen.folder).iterdir())
        assert name in said
        # The occlusion labels have no images of their own.
        for split in chosen.small if name != 'occlusion' else ():
            assert (folder / chosen.folder / f'attributes_{split}.jsonl').is_file()


def test_making_a_world_imports_no_host_and_no_matplotlib(tiny):
    _, said = tiny
    modules = said.split('MODULES')[1].split()

    assert 'mmdetxfer' in modules and 'cv2' in modules
    hosts = {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'matplotlib', 'torch'}
    assert not hosts & set(modules)


def test_the_preview_is_a_picture(tiny):
    sheet = cv2.imread(str(tiny[0] / 'preview.png'))

    assert sheet.shape[1] == 2100
    assert 40 < sheet.mean() < 250


def test_formats_can_be_chosen_and_the_target_coco_is_one(tmp_path):
    chosen = ['--size', 16, '--seed', 5, '--formats', 'coco_target', '--workers', 1]

    run = call('--out', tmp_path / 'w', *chosen)

    assert run.returncode == 0, run.stderr
    settings = json.loads((tmp_path / 'w' / 'world.json').read_text())['settings']
    assert (settings['size'], settings['seed']) == (16, 5)
    names = {path.name for path in (tmp_path / 'w').iterdir()}
    assert names == {'coco_target', 'world.json', '.lock'}


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['--size', 'huge'], 'size must be tiny, small, medium'),
        (['--formats', 'kitti'], "unknown format 'kitti'"),
        (['--seed', '-1'], 'seed must be 0 or more'),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_1(tmp_path, args, message):
    run = call('--out', tmp_path / 'w', *args)

    assert run.returncode == 1
    assert run.stderr.startswith(f'error: {message}')
    assert run.stderr.count('\n') == 1


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_code_1(tmp_path):
    (tmp_path / 'file').write_text('')

    run = call('--out', tmp_path / 'file' / 'world')

    assert run.returncode == 1
    assert run.stderr.startswith('error: cannot write the world to ')
    assert 'Traceback' not in run.stderr
