"""A real study, from one file to one report, in which much goes wrong.

One candidate's file is not there, one's is damaged, one has a loss that is no number,
one target's data are not there: the report has the rest, and says what failed.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmdetxfer.study.records import read_records
from mmdetxfer.study.report_check import unresolved_numbers
from mmdetxfer.worlds.world import make_world

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / 'tools' / 'study.py'
PETS = """
_base_ = 'ROOT/configs/transfer_cls/r18-c5_1xb32-200i_world-caltech256.py'

train_dataloader = dict(batch_size=4, dataset=dict(dataset=dict(num_train=4)))
val_dataloader = dict(dataset=dict(dataset=dict(num_train=4)))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=2)
for _one in (train_dataloader, val_dataloader):
    _one['dataset']['dataset']['data_root'] = 'DATA'
model = dict(backbone=dict(stem_channels=64), head=dict(num_classes=10))
data_preprocessor = dict(num_classes=10)
"""


def study(here, command, *arguments, config='tiny.py'):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', str(TOOL), command, config, *arguments],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=500,
    )


@pytest.fixture(scope='module')
def here(tmp_path_factory):
    """A folder with a world and a study, which has run."""
    here = tmp_path_factory.mktemp('here')
    world = here / 'work_dirs' / 'world_tiny'
    make_world(world, 'tiny', 0, formats=('imagenet_loc', 'caltech256'))
    data = world / 'Caltech256' / '256_ObjectCategories'
    for path in list(data.glob('*/*.jpg')):
        # Too few a class otherwise, to learn, to choose and to test.
        shutil.copy(path, path.with_stem(f'{path.stem}_again'))
        shutil.copy(path, path.with_stem(f'{path.stem}_once_more'))
    pets = PETS.replace('ROOT', str(REPOSITORY)).replace('DATA', str(data))
    (here / 'pets.py').write_text(pets)
    text = Path(__file__).with_name('tiny_study.py').read_text()
    text = text.replace("'ROOT/", f"'{REPOSITORY}/").replace("'HERE/", f"'{here}/")
    (here / 'tiny.py').write_text(text)
    torch.save(dict(state_dict={'w': torch.ones(8)}), here / 'torn.pth')
    whole = (here / 'torn.pth').read_bytes()
    (here / 'torn.pth').write_bytes(whole[: len(whole) // 2])
    done = study(here, 'run')
    (here / 'printed.txt').write_text(done.stdout + done.stderr)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    return here


def records(here):
    return read_records(here / 'work_dirs/studies/tiny/records.jsonl')


def test_what_failed_is_said_with_its_reason(here):
    printed = (here / 'printed.txt').read_text()
    for words in (
        'final lost on pets seed 0: expected lost.pth, it is not there',
        'final torn on pets seed 0: torn.pth cannot be read as a checkpoint',
        'pretrain wild stage 1 seed 0: the loss is',
        'final cls on away seed 0: expected nowhere, it is not there',
        'final wild on pets seed 0: not begun: it needs pretrain wild',
    ):
        assert f'not done: {words}' in printed


def test_the_rest_is_in_the_report_and_every_number_names_its_record(here):
    html = (here / 'work_dirs/studies/tiny/report/report.html').read_text()
    by_id = {row['id']: row for row in records(here)}
    assert unresolved_numbers(html, by_id) == []
    assert 'lost.pth' in html and 'Therefore not begun' in html
    for title in (
        'Classification: ',
        'Linear probes of frozen layers',
        'Score against cost',
        'Rankings before any training',
    ):
        assert title in html
    scores = [
        row
        for row in by_id.values()
        if row['kind'] == 'mean' and row['target'] == 'pets' and row['part'] != 'probes'
    ]
    assert {row['candidate'] for row in scores} == {'scratch', 'cls'}


def test_a_cell_says_what_it_was_made_of(here):
    """The backbone of the first stage was loaded, bit for bit, and nothing else."""
    heads = [row for row in records(here) if row['kind'] == 'cell']
    by_use = {(row['role'], row['candidate']): row for row in heads}
    stage, final = by_use['pretrain', 'cls'], by_use['final', 'cls']
    assert final['begins_with'] == {'cell': stage['key']}
    assert final['weights_sha256'] != stage['weights_sha256']
    assert final['receipt']['loaded_share_of_kept'] == 1.0
    assert stage['cost']['multiply_adds'] > 1e9 and stage['cost']['not_counted'] == []
    assert final['seed'] == 0 and len(final['data']) == 1
    assert final['versions']['torch'] and final['volatile']['seconds'] > 0
    probe = by_use['probe', 'cls']
    assert probe['weights_sha256'] == stage['weights_sha256']
    assert by_use['probe', 'scratch']['weights_sha256'] is None


def test_the_commands_show_export_and_forget(here):
    """What needs a cell is forgotten with it."""
    done = study(here, 'status')
    assert done.returncode == 0 and 'done' in done.stdout
    assert 'expected lost.pth, it is not there' in done.stdout
    done = study(here, 'export', 'cls')
    config = here / 'work_dirs/studies/tiny/cls_on_pets.py'
    assert str(config.name) in done.stdout and 'tools/train.py' in done.stdout
    assert f"load_from = 'work_dirs/cells/{key_of(here, 'pretrain', 'cls')}" in (
        config.read_text()
    )
    done = study(here, 'export', 'nobody')
    assert done.returncode == 1 and 'WINNER: expected one of scratch' in done.stderr
    done = study(here, 'export', 'lost')
    assert done.returncode == 1 and 'expected it done, it is' in done.stderr
    final, probe = key_of(here, 'final', 'cls'), key_of(here, 'probe', 'cls')
    done = study(here, 'rerun', key_of(here, 'pretrain', 'cls')[:10])
    assert done.returncode == 0 and final[:8] in done.stdout
    assert not (here / 'work_dirs' / 'cells' / final).exists()
    assert not (here / 'work_dirs' / 'cells' / probe).exists()
    done = study(here, 'clean')
    assert done.returncode == 1 and '--yes removes them' in done.stderr
    assert study(here, 'clean', '--yes').returncode == 0
    assert not list((here / 'work_dirs' / 'cells').glob('*/records.jsonl'))


def key_of(here, role, candidate):
    (key,) = {
        row['key']
        for row in records(here)
        if row['kind'] == 'cell'
        and (row['role'], row['candidate']) == (role, candidate)
    }
    return key


def test_a_plan_measures_what_is_not_done(here):
    """The first stage at the pace of its iterations; probes are not measured."""
    text = (here / 'tiny.py').read_text() + 'targets = {}\n'
    (here / 'few.py').write_text(text + "candidates.pop('wild')\n")
    arguments = ('plan', '--measure', '--graph', 'cells.svg')
    done = study(here, *arguments, config='few.py')
    assert done.returncode == 0, done.stderr
    assert 'measuring pretrain cls stage 1' in done.stdout and 'about' in done.stdout
    measured = list((here / 'work_dirs/measured').glob('*/measured.json'))
    found = json.loads(measured[0].read_text())
    assert found['seconds_per_iteration'] > 0 and found['megabytes'] > 1
    assert found['are_shared'] is True
    assert 'pretrain cls stage 1' in (here / 'cells.svg').read_text()
    done = study(here, 'plan', '--graph', 'cells.doc', config='few.py')
    assert done.returncode == 1 and 'expected .png, .svg or .pdf' in done.stderr
