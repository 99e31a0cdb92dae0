"""What goes wrong at the edges: kills between two lines, ranks, foreign machines."""

import errno
import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmdetxfer.errors import UserError
from mmdetxfer.study import cell, commands, locks, measuring, work
from mmdetxfer.study.answers import _answer
from mmdetxfer.study.cell import Launch
from mmdetxfer.study.cells import Machine, Plan
from mmdetxfer.study.fingerprint import fingerprint
from mmdetxfer.study.gpus import taken_gpus
from mmdetxfer.study.logs import BEGUN, log_tail
from mmdetxfer.study.plan import planned
from mmdetxfer.study.reading import Candidate, Stage, Study, Target, read_study
from mmdetxfer.study.records import write_records
from mmdetxfer.study.resolved import half_batch
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.running import run
from mmdetxfer.study.snakefile import Settings, prepare


def made(tmp_path, kind='transfer'):
    folder = tmp_path / 'abc'
    folder.mkdir()
    (folder / 'cell.json').write_text(json.dumps(dict(kind=kind, threads=1)))
    return folder


def test_a_kill_before_the_half_batch_leaves_no_training_of_the_whole(
    tmp_path, monkeypatch
):
    folder = made(tmp_path)
    (folder / 'training').mkdir()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cell, 'write_text_atomically', killed)
    with pytest.raises(KeyboardInterrupt):
        cell._begin_halved(folder)
    assert not (folder / 'halved.json').exists()
    assert not (folder / 'training').exists()


def test_only_a_training_is_halved(tmp_path):
    tail = ['CUDA out of memory. Tried to allocate']
    folder = made(tmp_path)
    assert cell._may_halve(folder, tail) and not cell._may_halve(folder, ['x'])
    (folder / 'trained.json').touch()
    assert not cell._may_halve(folder, tail)
    (tmp_path / 'other').mkdir()
    assert not cell._may_halve(made(tmp_path / 'other', 'probe'), tail)


def test_one_rank_probes(tmp_path, monkeypatch):
    """Several would extract the same features into the same files."""
    seen = []

    def command(folder, launch, halved):
        seen.append(launch)
        return [sys.executable, '-c', '']

    monkeypatch.setattr(cell, '_command', command)
    monkeypatch.setenv('SLURM_JOB_ID', '1')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
    for kind in ('probe', 'transfer'):
        (tmp_path / kind).mkdir()
        with open(tmp_path / 'lock', 'w') as lock:
            folder = made(tmp_path / kind, kind)
            assert cell._run(folder, Launch('pytorch', 2), lock, False) == 0
    assert [(one.launcher, one.gpus) for one in seen] == [('none', 1), ('pytorch', 2)]


def test_workers_of_a_training_end_with_it(tmp_path):
    script = tmp_path / 'tool.py'
    script.write_text(
        'import subprocess, sys\n'
        "child = subprocess.Popen(['sleep', '60'], close_fds=False)\n"
        "open(sys.argv[1] + '/child', 'w').write(str(child.pid))\n"
    )
    folder = made(tmp_path)
    with open(tmp_path / 'lock', 'w') as lock:
        assert cell._run(folder, Launch(script=str(script)), lock, False) == 0
    child = int((folder / 'child').read_text())
    deadline = time.monotonic() + 5
    while locks.start_time(child) is not None:
        assert time.monotonic() < deadline, 'it still works'
        time.sleep(0.01)


def test_what_torchrun_adds_hides_no_reason(tmp_path):
    lines = [f'{BEGUN} 1', 'torch.OutOfMemoryError: CUDA out of memory']
    api = 'x/torch/distributed/elastic/multiprocessing/api.py:986] failed (exitcode: 1)'
    lines += [f'E1129 {api}', *['at /x/run.py'] * 60, '=' * 60]
    (tmp_path / 'log.txt').write_text('\n'.join(lines))
    assert log_tail(tmp_path) == lines[1:2]


def test_of_a_session_of_slurm_with_more_gpus_a_cell_takes_its_own(
    tmp_path, monkeypatch
):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
    monkeypatch.setenv('SLURM_JOB_ID', '1')
    folder = tmp_path / 'cells' / 'a'
    with taken_gpus(folder, 1) as (one, _), taken_gpus(folder, 1) as (other, _):
        assert {one, other} == {'0', '1'}


def test_a_nested_srun_waits_for_no_other_step():
    assert '--overlap' in cell._command(Path('F'), Launch('slurm', 2), False)


def test_a_nested_srun_has_the_cpus_of_its_job(monkeypatch):
    monkeypatch.delenv('SLURM_CPUS_PER_TASK', raising=False)
    alone = cell._command(Path('F'), Launch('slurm', 2), False)
    monkeypatch.setenv('SLURM_CPUS_PER_TASK', '7')
    found = cell._command(Path('F'), Launch('slurm', 2), False)
    assert set(found) - set(alone) == {'--cpus-per-task=7'}


def test_a_lock_that_cannot_be_taken_is_one_line(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(locks.fcntl, 'flock', no_locks)
    with pytest.raises(UserError, match='a file system with locks, got No locks'):
        locks.try_lock(tmp_path / 'lock')

    def of_another(*_):
        raise PermissionError

    monkeypatch.setattr('builtins.open', of_another)
    with pytest.raises(UserError, match='it is of another user'):
        locks.try_lock(tmp_path / 'lock')


def test_a_process_that_had_ended_when_written_down_does_not_run(tmp_path):
    locks.note_running(tmp_path, 2**22 + 1)
    assert locks.running_in(tmp_path) is None


def test_a_rank_ends_with_its_launcher(tmp_path):
    rank = 'import time; from mmdetxfer.study.locks import end_with_parent as e; e(); '
    rank += 'print("ready", flush=True); time.sleep(60)'
    begin = 'import subprocess as s, sys; p = s.Popen([sys.executable, "-c", sys.argv'
    begin += '[1]], start_new_session=True); print(p.pid, flush=True); p.wait()'
    launcher = subprocess.Popen(
        [sys.executable, '-c', begin, rank], stdout=subprocess.PIPE, text=True
    )
    pid = int(launcher.stdout.readline())
    assert launcher.stdout.readline() == 'ready\n'
    launcher.kill()
    launcher.communicate()
    deadline = time.monotonic() + 5
    while locks.start_time(pid) is not None:
        assert time.monotonic() < deadline, 'it still works'
        time.sleep(0.01)


def test_before_ranks_meet_only_the_first_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(work, 'mean_score', lambda *_: 1.0)
    choices = [dict(cell='a', options={'lr': 1})]
    own = work.Run(
        tmp_path, dict(choices=choices, choosing=[]), 'pytorch', False, False
    )
    monkeypatch.setenv('RANK', '1')
    assert own._chosen() == {'lr': 1} and not (tmp_path / 'chosen.json').exists()
    monkeypatch.setenv('RANK', '0')
    assert own._chosen() == {'lr': 1} and (tmp_path / 'chosen.json').exists()


def test_a_cell_of_a_gpu_is_not_made_without_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(UserError, match='expected a GPU, torch sees none'):
        work._check_device(dict(device='cuda'))
    work._check_device(dict(device='cpu'))


def test_weights_that_configs_name_are_not_for_free(tmp_path):
    study = Study(
        'made',
        'which?',
        {'scratch': Candidate(), 'theirs': Candidate(as_configured=True)},
        {},
        'scratch',
    )
    results = Results(Plan(study, Machine(cells=tmp_path)), tmp_path, print)
    assert [one['candidate'] for one in results.costs()] == ['scratch']


NO_COSTS = Namespace(cost_of=lambda *_: None)


def compared(tmp_path, told_apart, seeds, values=(0.5, 0.4, 0.3)):
    means = [
        dict(id=str(k), candidate=name, score='top-1', value=v, low=v, high=v)
        for k, (name, v) in enumerate(zip('abc', values, strict=False))
    ]
    others = [name for name, own in seeds.items() if len(own) < 2]
    best = [dict(score='top-1', candidates=told_apart, not_compared=others)]
    tables = dict(means=means, best=best)
    return Compared('t', 1.0, 'a', seeds, (), tables, tmp_path)


def test_one_that_is_not_compared_makes_no_claim_of_no_difference(tmp_path):
    """Of a, b with three seeds and c with one, a and b cannot be told apart."""
    seeds = dict(a=(0, 1, 2), b=(0, 1, 2), c=(0,))
    one = compared(tmp_path, ['a', 'b'], seeds)
    assert not _answer('which?', 'classification', one, NO_COSTS).is_claim
    one = compared(tmp_path, ['a'], seeds)
    assert _answer('which?', 'classification', one, NO_COSTS).is_claim


def test_a_score_that_is_not_defined_is_no_answer(tmp_path):
    one = compared(tmp_path, [], dict(a=(0, 1), b=(0, 1)), values=())
    answer = _answer('which?', 'classification', one, NO_COSTS)
    assert answer.lacking == 'not measured' and 'not defined' in answer.line[0]


STUDY = """
question = 'which?'
baseline = 'a'
candidates = dict(a=dict(), b=dict(tried_as='a'), c=dict())
targets = dict(t=dict(task='detection', config='t.py', settings=[{}, {}], part=dict(
    p=1), rest=dict(r=1)))
"""


@pytest.mark.parametrize(
    ('option', 'text'),
    [
        ({'candidates.c.tried_as': 'b'}, 'c: tried_as a candidate with trials of its'),
        ({'targets.t.chosen': {'a': {}}}, 'same number of trials for every candidate'),
    ],
)
def test_trials_are_alike_for_all(tmp_path, option, text):
    path = tmp_path / 'mine.py'
    path.write_text(STUDY)
    read_study(path, {'targets.t.chosen': {'a': {}, 'c': {}}})
    with pytest.raises(UserError, match=text):
        read_study(path, option)


def test_a_link_to_nothing_is_no_data(tmp_path):
    (tmp_path / 'a.txt').write_text('a')
    former = fingerprint(tmp_path)
    (tmp_path / 'b.txt').symlink_to(tmp_path / 'none')
    assert fingerprint(tmp_path) == former


def test_half_the_batch_doubles_a_schedule_that_stands_alone():
    cfg = Config(
        dict(
            train_dataloader=dict(batch_size=4),
            optim_wrapper=dict(),
            param_scheduler=dict(type='PolyLR', by_epoch=False, end=10),
            train_cfg=dict(max_iters=10),
        )
    )
    assert half_batch(cfg)['param_scheduler.end'] == 20
    cfg.merge_from_dict(half_batch(cfg))
    assert cfg.param_scheduler.end == 20 and len(cfg.param_scheduler) == 3


CONFIG = """
default_scope = 'mmpretrain'
model = dict(backbone=dict(type='ResNet', init_cfg=dict(
    type='Pretrained', checkpoint='ROOT/a.pth')))
optim_wrapper = dict(optimizer=dict(lr=0.1))
train_cfg = dict(max_epochs=1)
train_dataloader = dict(dataset=dict(type='CustomDataset', data_root='ROOT/data'))
test_dataloader = train_dataloader
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'pets.py'
    path.write_text(CONFIG.replace('ROOT', str(tmp_path)))
    return str(path)


def keys(tmp_path, config, options=None, **target):
    candidates = {
        'one': Candidate(as_configured=True, options={'t': options or {}}),
        'other': Candidate(stages=(Stage(file='lost.pth'),)),
        'more': Candidate(stages=(Stage(file='gone.pth'),)),
    }
    targets = {'t': Target('classification', config, **target)}
    study = Study('made', 'which?', candidates, targets, 'one')
    return list(planned(study, Machine(cells=tmp_path / 'w' / 'cells')).cells)


def test_weights_that_a_config_names_are_in_the_key_by_content(tmp_path, config):
    (tmp_path / 'a.pth').write_text('a')
    (tmp_path / 'b.pth').write_text('b')
    place = 'model.backbone.init_cfg.checkpoint'
    first = keys(tmp_path, config)
    assert len(set(first)) == 3, 'files that are not there yet are different ones'
    assert keys(tmp_path, config, {place: str(tmp_path / 'b.pth')})[0] != first[0]
    (tmp_path / 'b.pth').write_text('a')
    assert keys(tmp_path, config, {place: str(tmp_path / 'b.pth')})[0] == first[0]


def test_the_data_of_trials_are_in_the_key(tmp_path, config):
    rest = {'test_dataloader.dataset.data_root': str(tmp_path / 'rest')}
    settings = ({'optim_wrapper.optimizer.lr': one} for one in (0.1, 0.2))
    own = dict(settings=tuple(settings), part={'train_cfg.max_epochs': 2}, rest=rest)
    first = keys(tmp_path, config, **own)
    (tmp_path / 'rest').mkdir()
    (tmp_path / 'rest' / 'a.txt').write_text('a')
    assert not set(first) & set(keys(tmp_path, config, **own))


def test_several_gpus_need_a_launcher(tmp_path):
    plan = Plan(None, Machine(cells=tmp_path))
    with pytest.raises(UserError, match='--gpus: expected 1 without a launcher, got 2'):
        run(plan, tmp_path, Settings(launch=Launch(gpus=2)))


def test_a_folder_may_have_spaces(tmp_path):
    study = Study('made', 'which?', {}, {}, '')
    plan = Plan(study, Machine(cells=tmp_path / 'my own' / 'cells'))
    prepare(plan, tmp_path / 'study', Settings(), {})
    command = json.loads((tmp_path / 'study' / 'plan.json').read_text())['command']
    assert command.endswith(f"'{tmp_path}/my own/cells'")
    assert os.path.basename(sys.executable) in command


def study_file(tmp_path, config, more=''):
    """Write a study of two candidates that begin as their config says."""
    path = tmp_path / 'mine.py'
    path.write_text(
        "question = '?'\nbaseline = 'a'\n_one = dict(as_configured=True)\n"
        'candidates = dict(a=_one, b=_one)\n'
        f"targets = dict(t=dict(task='classification', config='{config}'))\n{more}"
    )
    return path


def test_the_last_words_of_snakemake_are_told(tmp_path, monkeypatch, capsys, config):
    path = study_file(tmp_path, config)

    def ended(plan, folder, *_):
        (folder / 'snakemake.log').write_text('No module named snakemake\n')
        return 1

    monkeypatch.setattr(commands, 'run_cells', ended)
    args = dict(config=path, cfg_options=None, work_dirs=tmp_path / 'w', gpus=0)
    args |= dict(launcher='none', jobs=1, trust_checkpoint=False, executor='local')
    args |= dict(command='run')
    assert commands.run(Namespace(**args, snakemake='', no_report=True)) == 1
    assert (
        'Snakemake ended with 1: No module named snakemake' in capsys.readouterr().out
    )


def test_what_is_measured_has_the_threads_and_device_of_its_cells(
    tmp_path, monkeypatch, config
):
    seen = []

    def ended(*_, env, **__):
        seen.append((env['OMP_NUM_THREADS'], env['CUDA_VISIBLE_DEVICES']))
        return subprocess.CompletedProcess([], 1, 'no', '')

    monkeypatch.setattr(measuring.subprocess, 'run', ended)
    target = Target('classification', config)
    two = dict.fromkeys('ab', Candidate(as_configured=True))
    study = Study('made', 'which?', two, {'t': target}, 'a', threads=3)
    plan = planned(study, Machine(cells=tmp_path / 'cells'))
    assert measuring.measure(plan, tmp_path / 'measured', print) == {}
    assert seen == [('3', '')]


def test_the_command_in_the_report_is_the_one_that_was_given():
    args = dict(config='s.py', gpus=2, launcher='pytorch', cfg_options={'a': 1})
    args |= dict(work_dirs=Path('w'), trust_checkpoint=True)
    assert commands._command(Namespace(**args)) == (
        "python tools/study.py run s.py --cfg-options 'a=1' --launcher pytorch "
        '--gpus 2 --work-dirs w --trust-checkpoint'
    )
    args = dict(config='s.py', gpus=0, launcher='none', cfg_options=None, jobs=4)
    args |= dict(work_dirs=Path('work_dirs'), executor='slurm')
    args |= dict(snakemake='--default-resources slurm_partition=p')
    assert commands._command(Namespace(**args)) == (
        'python tools/study.py run s.py --executor slurm --jobs 4 '
        "--snakemake '--default-resources slurm_partition=p'"
    )


def test_a_study_is_looked_at_as_it_ran(tmp_path, monkeypatch, capsys, config):
    """A report after a run on 4 GPUs is of the cells of GPUs, by the run's command."""
    path = study_file(tmp_path, config)
    seen = []
    monkeypatch.setattr(commands, 'run_cells', lambda plan, *_: seen.append(plan) or 0)

    def written(plan, folder, command, say):
        seen.append((plan, command))

    monkeypatch.setattr(commands, 'write_study_report', written)
    common = dict(config=path, cfg_options=None, work_dirs=tmp_path / 'w', jobs=1)
    common |= dict(trust_checkpoint=False, executor='local', snakemake='')
    common |= dict(no_report=True)

    def ask(command, gpus=None, launcher=None, **more):
        args = {**common, 'command': command, 'gpus': gpus, 'launcher': launcher}
        return getattr(commands, command)(Namespace(**{**args, **more}))

    ask('run', 4, 'pytorch')
    ask('report')
    ran, (reported, command) = seen
    assert reported.cells.keys() == ran.cells.keys()
    assert (reported.machine.device, reported.machine.world_size) == ('cuda', 4)
    assert '--launcher pytorch --gpus 4' in command
    assert 'as the study ran: --gpus 4' in capsys.readouterr().out
    ask('report', 0, 'none', cfg_options=dict(seeds=[1]))
    assert seen[-1][0].machine.device == 'cpu' and "'seeds=[1]'" in seen[-1][1]
    # A run is what its own command says.
    ask('run')
    assert seen[-1].machine.device == 'cpu'


def test_a_plan_says_whose_data_have_changed(tmp_path, capsys):
    """Not at the first look, nor when nothing has changed since."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/list.txt').write_text('a')
    own = tmp_path / 'own.py'
    own.write_text(
        "_data = dict(type='CustomDataset', "
        f'data_root={str(tmp_path / "data")!r})\n'
        'train_dataloader = dict(dataset=_data)\n'
        "default_scope = 'mmpretrain'\nmodel = dict()\ntrain_cfg = dict(max_epochs=1)"
    )
    args = dict(config=study_file(tmp_path, own), cfg_options=None, command='plan')
    args |= dict(work_dirs=tmp_path / 'w', gpus=0, launcher='none')
    args |= dict(measure=False, graph=None)

    def said():
        commands.plan(Namespace(**args))
        return 'not what it was at the last look' in capsys.readouterr().out

    assert not said() and not said()
    (tmp_path / 'data/more.txt').write_text('b')
    assert said() and not said()
    # What is not there at all is told by other words.
    (tmp_path / 'data').rename(tmp_path / 'elsewhere')
    assert not said()


def test_a_plan_says_what_is_unmeasured_and_not_here(tmp_path, capsys, config):
    """One cell: two candidates that begin alike are one."""
    args = dict(config=study_file(tmp_path, config), cfg_options=None, command='plan')
    args |= dict(work_dirs=tmp_path / 'w', gpus=0, launcher='none')
    args |= dict(measure=False, graph=None)
    assert commands.plan(Namespace(**args)) == 0
    printed = capsys.readouterr().out
    assert '1 cells: 1 missing' in printed and 'unmeasured' in printed
    assert 'time and disk of 1 cells are unmeasured: plan --measure' in printed
    assert 'not here yet:' in printed


def test_what_no_part_of_a_study_is_of_cannot_be_exported(tmp_path, config):
    path = study_file(tmp_path, config, "parts = ['pretraining']\n")
    args = dict(config=path, cfg_options=None, command='export', gpus=0)
    args |= dict(work_dirs=tmp_path / 'w', launcher='none', winner='a', target='t')
    with pytest.raises(UserError, match='t: expected a target of the parts of the st'):
        commands.export(Namespace(**args))


def test_what_is_exported_is_what_was_trained(tmp_path, config):
    """The seed of the chain, and where memory ran out the batch in parts: 32 in two."""
    options = {'train_dataloader.batch_size': 32, 'train_cfg.max_epochs': 1}
    options['optim_wrapper.type'] = 'OptimWrapper'
    path = study_file(tmp_path, config, f'seeds = [5, 6]\noptions = {options}\n')
    args = dict(config=path, cfg_options=None, command='export', gpus=0)
    args |= dict(work_dirs=tmp_path / 'w', launcher='none', winner='a', target='t')
    plan = commands.plan_of(Namespace(**args))
    use = next(plan.used('final', candidate='a'))
    folder = plan.folder(use.key)
    folder.mkdir(parents=True)
    head = dict(what='transfer', config='', seed=5, weights_sha256='', data={})
    write_records(folder, dict(head, key=use.key, versions={}), [])
    for halved, batch in ((False, 32), (True, 16)):
        if halved:
            (folder / 'halved.json').touch()
        assert commands.export(Namespace(**args)) == 0
        cfg = Config.fromfile(tmp_path / 'w/studies/mine/a_on_t.py')
        assert cfg.randomness.seed == 5
        assert cfg.train_dataloader.batch_size == batch


def test_what_several_ranks_trained_is_exported_with_their_number(
    tmp_path, config, capsys
):
    path = study_file(tmp_path, config)
    args = dict(config=path, cfg_options=None, command='export', gpus=4)
    args |= dict(work_dirs=tmp_path / 'w', launcher='pytorch', winner='a', target='t')
    plan = commands.plan_of(Namespace(**args))
    use = next(plan.used('final', candidate='a'))
    plan.folder(use.key).mkdir(parents=True)
    head = dict(what='transfer', config='', seed=0, weights_sha256='', data={})
    write_records(plan.folder(use.key), dict(head, key=use.key, versions={}), [])
    assert commands.export(Namespace(**args)) == 0
    printed = ' '.join(capsys.readouterr().out.split())
    config_file = tmp_path / 'w/studies/mine/a_on_t.py'
    assert f'bash tools/dist_train.sh {config_file} 4 --work-dir' in printed


def test_ranks_share_the_iterations_of_epochs(tmp_path, config):
    """10 seconds to begin, and 0.5 for each of 21, or for 6 on each of four ranks."""
    path = study_file(tmp_path, config)
    args = dict(config=path, cfg_options=None, command='plan', work_dirs=tmp_path / 'w')
    for gpus, launcher, are_shared, seconds in (
        (0, 'none', True, 20.5),
        (4, 'pytorch', True, 13.0),
        (4, 'pytorch', False, 20.5),
    ):
        plan = commands.plan_of(Namespace(**args, gpus=gpus, launcher=launcher))
        (key,) = plan.cells
        place = measuring._place(plan, key, tmp_path / 'measured')
        place.mkdir(parents=True, exist_ok=True)
        found = dict(start=10, seconds_per_iteration=0.5, iterations=21, megabytes=1)
        text = json.dumps(dict(found, are_shared=are_shared))
        (place / 'measured.json').write_text(text)
        costs = measuring.known_costs(plan, tmp_path / 'measured')
        assert costs[key].seconds == seconds


def test_a_run_that_is_refused_is_not_how_a_study_ran(tmp_path, config):
    args = dict(config=study_file(tmp_path, config), cfg_options=None, command='run')
    args |= dict(work_dirs=tmp_path / 'w', gpus=2, launcher='none', jobs=1)
    args |= dict(trust_checkpoint=False, executor='local', snakemake='')
    with pytest.raises(UserError, match='--gpus: expected 1 without a launcher'):
        commands.run(Namespace(**args, no_report=True))
    assert not (tmp_path / 'w/studies/mine/last_run.json').exists()
