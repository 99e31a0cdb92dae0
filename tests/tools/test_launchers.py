"""The scripts that start several processes: torchrun's and Slurm's.

What a script asks torchrun or srun for is read from a stub that stands in their place
and writes down its arguments and environment. dist_train.sh and dist_test.sh also run
for real, and what slurm_train.sh gives to srun runs as two ranks.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tool_runner import CLS, REPOSITORY, clean_environment

from mmdetxfer.predictions import load_predictions

TOOLS = REPOSITORY / 'tools'
RECORDER = """#!{python} -S
import json, os, sys
if '-c' in sys.argv:
    sys.exit(0)
with open(os.environ['RECORD'], 'w') as stream:
    json.dump([sys.argv[1:], dict(os.environ)], stream)
"""
LOSS_TRACE = '''
import json
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class LossTrace(Hook):
    """Writes each rank's loss of each iteration."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        with open(f'{runner.work_dir}/losses_{runner.rank}.jsonl', 'a') as stream:
            stream.write(json.dumps(float(outputs['loss'])) + '\\n')
'''


COMPARABLE = """
_base_ = {base!r}
custom_imports = dict(imports=['loss_trace'], allow_failed_imports=False)
custom_hooks = [dict(type='LossTrace')]
model = dict(backbone=dict(norm_cfg=dict(type='GN', num_groups=4)))
train_dataloader = dict(dataset=dict(pipeline={{{{_base_.test_pipeline}}}}))
"""


def environment_with(**variables) -> dict[str, str]:
    """Return an environment whose python is this one's, and nothing set but these."""
    clean = clean_environment()
    del clean['OMP_NUM_THREADS']
    path = f'{Path(sys.executable).parent}{os.pathsep}{clean["PATH"]}'
    return {**clean, 'PATH': path, **variables}


def run(script, *arguments, cwd, env, fails=False) -> str:
    """Run a script of tools/ to its end and return all that it printed."""
    done = subprocess.run(
        ['bash', str(TOOLS / script), *map(str, arguments)],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
    )
    assert bool(done.returncode) == fails, done.stdout[-4000:]
    return done.stdout


@pytest.fixture
def recorded(tmp_path):
    """A function that runs a script with stubs of python and srun, see above."""
    stubs = tmp_path / 'stubs'
    stubs.mkdir()
    for name in ('python', 'srun'):
        (stubs / name).write_text(RECORDER.format(python=sys.executable))
        (stubs / name).chmod(0o755)

    def call(script, *arguments, **variables):
        env = environment_with(RECORD=str(tmp_path / 'record.json'), **variables)
        env['PATH'] = f'{stubs}{os.pathsep}{env["PATH"]}'
        run(script, *arguments, cwd=tmp_path, env=env)
        return json.loads((tmp_path / 'record.json').read_text())

    return call


def test_one_node_takes_a_free_port_and_shares_out_the_cores(recorded):
    argv, env = recorded('dist_train.sh', CLS, 2, '--resume', 'a file.pth')
    assert argv == [
        *('-P', '-m', 'torch.distributed.run', '--nnodes=1', '--nproc_per_node=2'),
        *('--standalone', '--local_addr=127.0.0.1', str(TOOLS / 'train.py')),
        *(str(CLS), '--resume', 'a file.pth', '--launcher', 'pytorch'),
    ]
    cores = len(os.sched_getaffinity(0))
    assert env['OMP_NUM_THREADS'] == str(max(1, cores // 2))
    assert env['PYTHONPATH'] == str(REPOSITORY)


def test_several_nodes_meet_where_the_environment_says(recorded):
    """What is not set has OpenMMLab's values: node 0, 127.0.0.1, port 29500."""
    where = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='node0', PORT='1234')
    kept = dict(OMP_NUM_THREADS='3', PYTHONPATH='mine')
    argv, env = recorded('dist_test.sh', CLS, 'w.pth', 4, '--tta', **where, **kept)
    assert argv == [
        *('-P', '-m', 'torch.distributed.run', '--nnodes=2', '--nproc_per_node=4'),
        *('--node_rank=1', '--master_addr=node0', '--master_port=1234'),
        *(str(TOOLS / 'test.py'), str(CLS), 'w.pth', '--tta', '--launcher', 'pytorch'),
    ]
    assert env['OMP_NUM_THREADS'] == '3'
    assert env['PYTHONPATH'] == f'{REPOSITORY}:mine'
    argv, _ = recorded('dist_train.sh', CLS, 1, NNODES='2')
    assert argv[5:8] == [
        *('--node_rank=0', '--master_addr=127.0.0.1', '--master_port=29500'),
    ]


def test_a_port_that_is_given_is_taken_on_one_node_too(recorded):
    argv, _ = recorded('dist_train.sh', CLS, 1, PORT='1234')
    assert '--master_port=1234' in argv and '--standalone' not in argv


def test_beside_a_gpu_a_rank_gets_one_thread_and_all_cores_if_it_is_hidden(recorded):
    """Where the files /dev/nvidia0, 1, ... are, there are GPUs."""
    cores = str(len(os.sched_getaffinity(0)))
    _, hidden = recorded('dist_train.sh', CLS, 1, CUDA_VISIBLE_DEVICES='')
    assert hidden['OMP_NUM_THREADS'] == cores
    has_gpu = any(Path('/dev').glob('nvidia[0-9]*'))
    _, seen = recorded('dist_train.sh', CLS, 1, CUDA_VISIBLE_DEVICES='0')
    assert seen['OMP_NUM_THREADS'] == ('1' if has_gpu else cores)


def test_slurm_asks_for_what_the_hosts_scripts_ask_for(recorded, tmp_path):
    """8 GPUs on one node, 5 cores each, unless the environment says otherwise."""
    argv, env = recorded('slurm_train.sh', 'gpu', 'job', CLS, 'my_dir', '--amp')
    assert argv == [
        *('-p', 'gpu', '--job-name=job', '--ntasks=8', '--ntasks-per-node=8'),
        *('--cpus-per-task=5', '--kill-on-bad-exit=1', '--gres=gpu:8'),
        *(str(tmp_path / 'stubs/python'), '-u', str(TOOLS / 'train.py'), str(CLS)),
        *('--work-dir=my_dir', '--amp', '--launcher=slurm'),
    ]
    assert 20000 <= int(env['MASTER_PORT']) < 30000
    assert env['PYTHONPATH'] == str(REPOSITORY)


def test_slurm_settings_come_from_the_environment(recorded, tmp_path):
    """No argument may be split or filled in by the shell, and no WORK_DIR is needed."""
    (tmp_path / 'b=1').touch()
    settings = dict(GPUS='4', GPUS_PER_NODE='2', CPUS_PER_TASK='3', PORT='1234')
    more = dict(SRUN_ARGS='--mem 9G --exclude=a,b', PY_ARGS='--cfg-options a=[1,2] b=*')
    start = ('slurm_test.sh', 'cpu', 'job', CLS, 'w.pth', '--out', 'a b.npz')
    argv, env = recorded(*start, **settings, **more, GRES='')
    assert env['MASTER_PORT'] == '1234'
    assert argv == [
        *('-p', 'cpu', '--job-name=job', '--ntasks=4', '--ntasks-per-node=2'),
        *('--cpus-per-task=3', '--kill-on-bad-exit=1'),
        *('--mem', '9G', '--exclude=a,b'),
        *(str(tmp_path / 'stubs/python'), '-u', str(TOOLS / 'test.py'), str(CLS)),
        *('w.pth', '--out', 'a b.npz', '--cfg-options', 'a=[1,2]', 'b=*'),
        '--launcher=slurm',
    ]
    argv, _ = recorded('slurm_train.sh', 'gpu', 'job', CLS, '--resume', GPUS='2')
    assert argv[3:5] == ['--ntasks=2', '--ntasks-per-node=2']
    assert argv[-3:] == [str(CLS), '--resume', '--launcher=slurm']


@pytest.mark.parametrize(
    ('script', 'arguments', 'message'),
    [
        ('dist_train.sh', [CLS], 'expected 2 arguments or more, got 1'),
        ('dist_test.sh', [CLS, 'w.pth'], 'expected 3 arguments or more, got 2'),
        ('slurm_train.sh', ['gpu', 'job'], 'expected 3 arguments or more, got 2'),
        ('slurm_test.sh', ['gpu', 'job', CLS], 'expected 4 arguments or more, got 3'),
        ('dist_train.sh', ['no.py', 2], 'config not found: expected a file at no.py'),
        ('dist_train.sh', [CLS, '--amp'], "GPUS: expected a whole number .* '--amp'"),
        ('dist_test.sh', [CLS, 'w.pth', 0], "GPUS: expected a whole number .* '0'"),
    ],
)
def test_a_wrong_call_is_explained(tmp_path, script, arguments, message):
    """Where arguments are missing, the usage is printed before the error."""
    env = environment_with()
    printed = run(script, *arguments, cwd=tmp_path, env=env, fails=True)
    assert re.search(f'^error: {message}', printed, re.M), printed
    assert ('Usage: bash tools/' in printed) == ('arguments or more' in message)


def test_without_a_python_that_has_torch_the_cure_is_named(tmp_path):
    """A copy of the scripts alone, so that no environment lies beside them."""
    for name in ('dist_train.sh', 'launch_ranks.sh'):
        shutil.copy(TOOLS / name, tmp_path)
    done = subprocess.run(
        ['bash', str(tmp_path / 'dist_train.sh'), str(CLS), '2'],
        env={'PATH': '/usr/bin:/bin', 'PYTHON': '/bin/false'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert 'no Python with torch and mmengine: activate' in done.stderr


# Real runs.


def test_two_ranks_have_the_losses_of_one_process_with_twice_the_batch(
    tools, here, tmp_path
):
    """The mean of two ranks' losses over 4 images is the loss over the same 8.

    Why it must be so: the sampler shuffles with the seed and deals the images out in
    turn, so that two batches of 4 hold the images of one batch of 8; no augmentation
    and no batch norm, so that an image's loss does not depend on its company; DDP
    averages the gradients of means over equal numbers of images. 20 images give 8, 8
    and 4 in each of two epochs. From the second step on, losses agree only if the
    gradients did.
    """
    (tmp_path / 'loss_trace.py').write_text(LOSS_TRACE)
    config = tmp_path / 'comparable.py'
    config.write_text(COMPARABLE.format(base=str(CLS)))
    env = environment_with(PYTHONPATH=str(tmp_path))
    options = ('--cfg-options', 'train_dataloader.batch_size=4')
    printed = run(
        'dist_train.sh', config, 2, '--work-dir', 'two', *options, cwd=here, env=env
    )
    assert 'input convention' in printed
    tools('train.py', config, '--work-dir', 'one', cwd=here, path=[tmp_path])

    ranks = np.array([losses(here / 'two', rank) for rank in (0, 1)])
    one = losses(here / 'one', 0)
    assert len(one) == 6
    np.testing.assert_allclose(ranks.mean(axis=0), one, rtol=0, atol=1e-5)
    assert np.abs(ranks[0] - ranks[1]).min() > 1e-3
    assert np.ptp(one) > 1e-2


def test_two_ranks_of_dist_test_have_the_metrics_of_one_process(tools, here, trained):
    """19 images: one is tested twice, and neither counted nor written twice.

    The top five hold the right class for some of the images and not for all, so that an
    image counted twice would change the metric.
    """
    checkpoint = trained[CLS] / 'epoch_2.pth'
    data = 'test_dataloader.dataset'
    options = ('--cfg-options', f'{data}.split=train', f'{data}.indices=19')
    two = ('--work-dir', 'two', '--out', 'two.npz', *options)
    env = environment_with(OMP_NUM_THREADS='1')
    run('dist_test.sh', CLS, checkpoint, 2, *two, cwd=here, env=env)
    one = ('--work-dir', 'one', '--out', 'one.npz', *options)
    tools('test.py', CLS, checkpoint, *one, cwd=here)
    metrics = [
        json.loads(next(here.glob(f'{name}/*/*.json')).read_text())
        for name in ('one', 'two')
    ]
    for key in ('accuracy/top1', 'accuracy/top5'):
        assert metrics[0][key] == metrics[1][key]
    assert 0 < metrics[0]['accuracy/top5'] < 100
    ids = [load_predictions(here / f'{name}.npz').image_ids for name in ('one', 'two')]
    assert ids[0] == ids[1] and len(ids[0]) == 19


def test_ranks_that_srun_starts_train_together_on_a_cpu(recorded, tools, here):
    """The command that srun was given is run twice, with what srun sets for two tasks.

    One node of two tasks, named by ``scontrol``; both ranks are in the checkpoint.
    """
    options = ('--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=9')
    argv, env = recorded('slurm_train.sh', 'cpu', 'job', CLS, 'joined', *options)
    (here / 'stubs/scontrol').write_text('#!/bin/sh\necho 127.0.0.1\n')
    (here / 'stubs/scontrol').chmod(0o755)
    common = dict(SLURM_NTASKS='2', SLURM_NODELIST='node7', PATH=env['PATH'])
    common['MASTER_PORT'] = env['MASTER_PORT']
    tasks = [{**common, 'SLURM_PROCID': n, 'SLURM_LOCALID': n} for n in '01']
    _, unbuffered, *command = argv[argv.index(str(here / 'stubs/python')) :]
    tools(*command, cwd=here, ranks=tasks)
    saved = torch.load(here / 'joined/epoch_1.pth', weights_only=True)
    assert unbuffered == '-u'
    assert saved['mmdetxfer_progress']['world_size'] == 2
    assert len(saved['mmdetxfer_progress']['ranks']) == 2


def losses(work_dir: Path, rank: int) -> np.ndarray:
    lines = (work_dir / f'losses_{rank}.jsonl').read_text().splitlines()
    return np.array([json.loads(line) for line in lines])
