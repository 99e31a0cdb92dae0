"""tools/train.py: its help, what it resumes from, its options, and what it refuses."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tool_runner import CLS, DET, REPOSITORY, SEG, clean_environment, copy_of

from mmdetxfer.engine.resuming import settle_resume
from mmdetxfer.errors import CheckpointError

ONE_EPOCH = ('train_cfg.max_epochs=1', 'train_cfg.val_interval=9')


def damaged(path: Path) -> Path:
    """Change a byte in the middle, as a bad disk does; the size stays."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def test_help_comes_without_torch_and_never_names_the_option_that_mim_looks_for():
    """mim adds '--gpus N' to the command if it finds '--gpus' in this text."""
    code = (
        'import contextlib, json, runpy, sys\n'
        'for tool in list(sys.argv[1:]):\n'
        '    sys.argv = [tool, "-h"]\n'
        '    with contextlib.suppress(SystemExit):\n'
        '        runpy.run_path(tool, run_name="__main__")\n'
        'sys.exit("torch" in sys.modules)\n'
    )
    names = ('train.py', 'test.py', 'misc/print_config.py')
    files = [str(REPOSITORY / 'tools' / name) for name in names]
    environment = {**clean_environment(), 'PYTHONPATH': str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, '-c', code, *files],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, 'torch was imported for the help'
    assert done.stdout.count('usage:') == 3
    assert '--gpus' not in done.stdout
    for option in ('--resume', '--auto-scale-lr', '--local-rank', '--tta', '--out'):
        assert option in done.stdout


# What --resume decides.


def resuming(work_dir: Path, **settings) -> Config:
    return Config(dict(work_dir=str(work_dir), **settings))


def test_resume_auto_takes_the_newest_checkpoint_and_ignores_load_from(trained):
    """20 images in batches of 8 are 3 iterations an epoch, 6 in two."""
    cfg = resuming(trained[CLS], load_from='other.pth')
    said = settle_resume(cfg, 'auto')
    newest = trained[CLS] / 'epoch_2.pth'
    assert cfg.resume and cfg.load_from == str(newest)
    assert said == (
        f'resuming {newest}: epoch 2, iteration 6, seed 0, written by 1 ranks, now 1'
    )


def test_resume_auto_with_nothing_there_keeps_load_from(tmp_path):
    """The hosts' tools set it to None, so that a transfer starts from scratch."""
    cfg = resuming(tmp_path, load_from='pretrained.pth')
    said = settle_resume(cfg, 'auto')
    assert cfg.load_from == 'pretrained.pth' and not cfg.resume
    assert said == (
        f'nothing to resume in {tmp_path}: new training, load_from=pretrained.pth'
    )


def test_without_the_option_a_training_is_new_whatever_the_folder_holds(trained):
    cfg = resuming(trained[CLS], load_from='pretrained.pth')
    assert settle_resume(cfg, None) == 'new training, load_from=pretrained.pth'
    assert cfg.load_from == 'pretrained.pth' and not cfg.resume
    assert settle_resume(resuming(trained[CLS]), None) == 'new training, no load_from'


def test_resume_in_the_config_means_auto(trained):
    cfg = resuming(trained[CLS], resume=True)
    assert 'epoch_2.pth: epoch 2' in settle_resume(cfg, None)


def test_a_path_is_resumed_even_if_a_newer_one_is_there(trained):
    cfg = resuming(trained[CLS])
    said = settle_resume(cfg, str(trained[CLS] / 'epoch_1.pth'))
    assert 'epoch_1.pth: epoch 1, iteration 3' in said


def test_a_damaged_newest_file_is_named_and_the_one_before_it_resumed(
    trained, tmp_path
):
    work_dir = copy_of(trained[CLS], tmp_path / 'run')
    damaged(work_dir / 'epoch_2.pth')
    cfg = resuming(work_dir)
    said = settle_resume(cfg, 'auto')
    assert re.search(r'^passed over: .*epoch_2\.pth', said)
    assert said.splitlines()[-1].startswith(f'resuming {work_dir / "epoch_1.pth"}')


def test_a_damaged_path_is_an_error_even_if_others_are_good(trained, tmp_path):
    work_dir = copy_of(trained[CLS], tmp_path / 'run')
    path = damaged(work_dir / 'epoch_2.pth')
    with pytest.raises(CheckpointError, match=r'epoch_2\.pth'):
        settle_resume(resuming(work_dir), str(path))


def test_damaged_files_alone_are_an_error_rather_than_a_new_start(trained, tmp_path):
    work_dir = copy_of(trained[CLS], tmp_path / 'run')
    for path in work_dir.glob('*.pth'):
        damaged(path)
    with pytest.raises(CheckpointError, match='none to resume from: .*move them away'):
        settle_resume(resuming(work_dir, load_from='pretrained.pth'), 'auto')


def test_weights_without_an_optimizer_are_no_place_to_resume_from(trained, tmp_path):
    whole = torch.load(trained[CLS] / 'epoch_2.pth', weights_only=True)
    torch.save({'state_dict': whole['state_dict']}, tmp_path / 'weights.pth')
    with pytest.raises(CheckpointError, match='no training checkpoint: it has no'):
        settle_resume(resuming(tmp_path), str(tmp_path / 'weights.pth'))


def test_the_seed_of_the_checkpoint_replaces_another_and_both_are_said(trained):
    """The sampler is built from the seed before the checkpoint is loaded."""
    cfg = resuming(trained[CLS], randomness=dict(seed=5, deterministic=True))
    said = settle_resume(cfg, 'auto')
    assert cfg.randomness == dict(seed=0, deterministic=True)
    assert "the checkpoint's seed 0 replaces 5" in said
    same = resuming(trained[CLS], randomness=dict(seed=0))
    assert 'replaces' not in settle_resume(same, 'auto')


@pytest.mark.parametrize('variable', ['WORLD_SIZE', 'SLURM_NTASKS'])
def test_the_ranks_then_and_now_are_said(trained, monkeypatch, variable):
    monkeypatch.setenv(variable, '3')
    assert 'written by 1 ranks, now 3' in settle_resume(resuming(trained[CLS]), 'auto')


# Real trainings.


def test_a_finished_training_goes_on_with_more_ranks_and_epochs(trained, tools, here):
    """load_from names no file: it would stop the run if it were not ignored."""
    work_dir = copy_of(trained[CLS], here / 'run')
    options = ('train_cfg.max_epochs=3', 'load_from=nowhere.pth')
    arguments = ('--work-dir', work_dir, '--resume', '--cfg-options', *options)
    printed = tools('train.py', CLS, *arguments, cwd=here, ranks=2).printed
    assert 'epoch 2, iteration 6, seed 0, written by 1 ranks, now 2' in printed
    assert 'resumed with 2 ranks, written with 1' in printed
    assert re.findall(r'Saving checkpoint at (\d+) epochs', printed) == ['3']
    assert (work_dir / 'epoch_3.pth').is_file()


def test_with_nothing_to_resume_a_transfer_starts_from_its_weights(
    trained, tools, here
):
    """All tensors come from the file, the convention with them; the folder is named."""
    weights = trained[CLS] / 'epoch_2.pth'
    options = (f'load_from={weights}', *ONE_EPOCH)
    arguments = ('--resume', 'auto', '--work-dir', 'mine', '--cfg-options', *options)
    printed = tools('train.py', CLS, *arguments, cwd=here).printed
    assert f'nothing to resume in mine: new training, load_from={weights}' in printed
    assert f'(of {weights})' in printed
    filled = re.search(r'filled (\d+) of (\d+) tensors', printed)
    assert filled.group(1) == filled.group(2)
    assert (here / 'mine' / 'epoch_1.pth').is_file()
    assert not (here / 'work_dirs' / CLS.stem).exists()


def test_the_learning_rate_is_scaled_by_the_batch_when_asked_to(trained, tools, here):
    """The config has lr 0.005 for batches of 4; batches of 2 get half of it, 0.0025."""
    options = ('train_dataloader.batch_size=2', *ONE_EPOCH)
    arguments = ('--work-dir', 'scaled', '--auto-scale-lr', '--cfg-options', *options)
    tools('train.py', DET, *arguments, cwd=here)
    plain, scaled = (
        torch.load(folder / 'epoch_1.pth', weights_only=True)['optimizer']
        for folder in (trained[DET], here / 'scaled')
    )
    assert plain['param_groups'][0]['lr'] == pytest.approx(0.005)
    assert scaled['param_groups'][0]['lr'] == pytest.approx(0.0025)


def test_a_checkpoint_that_could_run_code_needs_to_be_trusted(trained, tools, here):
    """The file holds a Path, a type of no allow-list, beside good weights."""
    content = torch.load(trained[CLS] / 'epoch_2.pth', weights_only=True)
    content['meta']['origin'] = Path('here')
    torch.save(content, here / 'odd.pth')
    options = ('--cfg-options', 'load_from=odd.pth', *ONE_EPOCH)
    refused = tools('train.py', CLS, *options, cwd=here, fails=True)
    assert refused.code == 1 and '--trust-checkpoint' in refused.printed
    tools('train.py', CLS, '--trust-checkpoint', *options, cwd=here)


# Bad input: one clear line each.

NO_WORLD = 'work_dirs/absent'
REFUSED = {
    'no such config': (
        ('configs/absent.py',),
        r'config not found: expected a file at configs/absent\.py; check the path',
    ),
    'work_dir under a file': (
        (CLS, '--work-dir', 'a_file/run'),
        r'work_dir a_file/run cannot be written \(Not a directory\); .*--work-dir',
    ),
    'data root': (
        (CLS, '--cfg-options', f'train_dataloader.dataset.data_root={NO_WORLD}'),
        r'train data: expected a folder at data_root work_dirs/absent, there is none',
    ),
    'annotation file': (
        (DET, '--cfg-options', 'train_dataloader.dataset.ann_file=absent.txt'),
        r'train data: expected the annotation file .*absent\.txt, there is none',
    ),
    'data root of the validation': (
        (SEG, '--cfg-options', f'val_dataloader.dataset.data_root={NO_WORLD}'),
        r'val data: expected a folder at data_root work_dirs/absent',
    ),
    'no data to train on': (
        (CLS, '--cfg-options', 'train_dataloader=None'),
        r'has no train_dataloader: it cannot train',
    ),
    '--amp on a CPU': ((CLS, '--amp'), r'--amp .*needs a GPU.*leave it out'),
    'AmpOptimWrapper on a CPU': (
        (DET, '--cfg-options', 'optim_wrapper.type=AmpOptimWrapper'),
        r'AmpOptimWrapper\) needs a GPU',
    ),
    '--amp with another wrapper': (
        (DET, '--amp', '--cfg-options', 'optim_wrapper.type=ApexOptimWrapper'),
        r'--amp: expected optim_wrapper\.type OptimWrapper, it is ApexOptimWrapper',
    ),
    'no base batch': (
        (CLS, '--auto-scale-lr'),
        r'--auto-scale-lr: the config has no auto_scale_lr\.base_batch_size; add',
    ),
    'weights of another architecture': (
        (CLS, '--cfg-options', 'load_from=detector.pth', 'model.backbone.depth=50'),
        r'detector\.pth filled .*expected at least 50 %: .*of another architecture',
    ),
    'resumed from another architecture': (
        (CLS, '--resume', 'detector.pth'),
        r'detector\.pth filled .*expected all: .*of another architecture',
    ),
    'no such weights': (
        (CLS, '--cfg-options', 'load_from=absent.pth'),
        r'checkpoint not found: expected a file at absent\.pth',
    ),
    'no such checkpoint to resume': (
        (CLS, '--resume', 'absent.pth'),
        r'checkpoint not found: expected a file at absent\.pth',
    ),
    'pytorch without ranks': (
        (CLS, '--launcher', 'pytorch'),
        r'--launcher pytorch: RANK and WORLD_SIZE not set; start the ranks with',
    ),
    'slurm without srun': (
        (CLS, '--launcher', 'slurm'),
        r'--launcher slurm: SLURM_PROCID is not set; start with srun',
    ),
    'mpi on a CPU': (
        (CLS, '--launcher', 'mpi'),
        r"expected 'none', 'pytorch' or 'slurm', got 'mpi'",
    ),
}


@pytest.mark.parametrize('case', REFUSED)
def test_bad_input_ends_with_one_clear_line(tools, here, trained, case):
    arguments, message = REFUSED[case]
    (here / 'a_file').touch()
    shutil.copy(trained[DET] / 'epoch_2.pth', here / 'detector.pth')
    ended = tools('train.py', *arguments, cwd=here, fails=True)
    errors = [line for line in ended.printed.splitlines() if line.startswith('error')]
    assert ended.code == 1
    assert len(errors) == 1, ended.printed
    assert re.search(message, errors[0]), errors[0]
    assert 'Traceback' not in ended.printed


def test_synchronised_batch_norm_is_refused_on_cpu_ranks_alone(tools, here):
    """In one process the same config trains: SyncBN then is plain batch norm."""
    options = ('train_cfg.max_iters=1', 'train_cfg.val_interval=9')
    for option in ('sync_bn=torch', 'model.backbone.norm_cfg.type=SyncBN'):
        arguments = (SEG, '--cfg-options', option, *options)
        ended = tools('train.py', *arguments, cwd=here, ranks=2, fails=True)
        where = option.split('=')[0].removesuffix('.type').replace('.', r'\.')
        assert ended.code == 1
        assert re.search(f'^error: {where} asks for SyncBN', ended.printed, re.M)
    tools('train.py', *arguments, cwd=here)
