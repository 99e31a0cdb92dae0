"""Unreadable images and bad losses in whole trainings: replaced, listed, or stopped."""

import json
import socket
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from mmcv.transforms import LoadImageFromFile
from torch.utils.data import DataLoader
from toy_images import (
    FilesDataset,
    Killed,
    PackToy,
    logged,
    make_images,
    toy_config,
    trace,
    train,
    train_as_rank,
)
from toy_training import server_with_imports

from mmdetxfer.datasets import UnreadableImageError
from mmdetxfer.engine.replay import replayable
from mmdetxfer.errors import UserError

GOOD = ' '.join(f'good{k}' for k in range(17))
BAD = 'bad0 bad1 missing'
TRUNCATED = 'truncated: JPEG without its end marker'


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    many = ' '.join(f'bad{k}' for k in range(30))
    return make_images(folder, f'{GOOD} {many} nan0')


def seen_images(work_dir: Path) -> list[str]:
    return [name for row in trace(work_dir) for name in row['images']]


@pytest.fixture(scope='module')
def whole(images, tmp_path_factory):
    """Two epochs with three files that cannot be read, nobody killed."""
    folder = tmp_path_factory.mktemp('whole') / 'run'
    train(toy_config(folder, images, f'{GOOD} {BAD}', max_epochs=2))
    return folder


def test_unreadable_images_are_replaced_and_nothing_else_changes(
    images, whole, tmp_path
):
    """At each other place stands what stands there with the three files repaired."""
    repaired = make_images(tmp_path / 'repaired', GOOD)
    for name in BAD.split():
        (repaired / f'{name}.jpg').write_bytes((images / 'good3.jpg').read_bytes())
    train(toy_config(tmp_path / 'run', repaired, f'{GOOD} {BAD}', max_epochs=2))
    with_bad, without = seen_images(whole), seen_images(tmp_path / 'run')
    assert len(with_bad) == len(without) == 40
    assert not set(with_bad) & set(BAD.split())
    changed = [b for a, b in zip(with_bad, without, strict=True) if a != b]
    assert sorted(changed) == sorted(BAD.split() * 2)


def test_they_are_listed_at_the_end_of_each_epoch(images, whole):
    """A replacement may itself be unreadable, so that there are 3 or more an epoch."""
    lines = logged(whole, 'unreadable images were replaced')
    assert [line.split(':')[0] for line in lines] == ['epoch 1', 'epoch 2']
    for line in lines:
        assert int(line.split()[2]) in range(3, 7)
        for name in ('bad0', 'bad1'):
            assert f'{images}/{name}.jpg ({TRUNCATED})' in line
        assert f'{images}/missing.jpg (No such file or directory)' in line


@pytest.mark.parametrize(('start_method', 'count'), [('fork', 2), ('spawn', 1)])
def test_persistent_workers_see_and_report_the_same(
    images, whole, tmp_path, start_method, count
):
    cfg = toy_config(tmp_path / 'run', images, f'{GOOD} {BAD}', max_epochs=2)
    cfg.train_dataloader.update(
        num_workers=count,
        persistent_workers=True,
        multiprocessing_context=start_method,
    )
    train(cfg)
    assert trace(tmp_path / 'run') == trace(whole)
    word = 'unreadable images were replaced'
    assert logged(tmp_path / 'run', word) == logged(whole, word)


def test_a_loader_that_a_user_has_built_is_guarded_too(images):
    dataset = FilesDataset(
        'good0 bad0 good1 good2',
        data_prefix=dict(img=str(images)),
        pipeline=[LoadImageFromFile(), PackToy()],
    )
    loader = replayable(DataLoader(dataset, 2, collate_fn=list), seed=0, rank=0)
    assert [len(batch) for batch in loader.batches(0)] == [2, 2]
    assert loader.unreadable[0].path == f'{images}/bad0.jpg'


def test_a_resumed_training_replaces_and_counts_as_if_nobody_had_killed_it(
    images, whole, tmp_path
):
    """Killed at iteration 17 of 20, saved every 3: what was seen before counts once."""
    for resume, kill in ((None, True), ('auto', False)):
        cfg = toy_config(tmp_path / 'run', images, f'{GOOD} {BAD}', max_epochs=2)
        cfg.default_hooks.checkpoint.update(by_epoch=False, interval=3)
        if kill:
            cfg.custom_hooks.append(dict(type='KilledAt', iteration=17))
            pytest.raises(Killed, train, cfg, resume)
        else:
            train(cfg, resume)
    assert trace(tmp_path / 'run') == trace(whole)
    word = 'unreadable images were replaced'
    assert logged(tmp_path / 'run', word) == logged(whole, word)


def test_an_iteration_loop_lists_them_when_the_samples_of_an_epoch_are_done(
    images, tmp_path
):
    """20 samples are 10 iterations of 2; the rest is listed at the end."""
    cfg = toy_config(tmp_path / 'run', images, f'{GOOD} {BAD}', max_iters=23)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    train(cfg)
    lines = logged(tmp_path / 'run', 'unreadable images were replaced')
    starts = [line.split(':')[0] for line in lines]
    assert starts[:2] == ['up to iteration 10', 'up to iteration 20']
    assert set(starts[2:]) <= {'up to the end'}


def test_more_than_20_unreadable_images_stop_the_training(images, tmp_path):
    """21 of 38: the run ends before its epoch does, and names 20 files."""
    names = f'{GOOD} ' + ' '.join(f'bad{k}' for k in range(21))
    cfg = toy_config(tmp_path / 'run', images, names)
    with pytest.raises(UserError) as error:
        train(cfg)
    said = str(error.value)
    assert (
        'samples of this epoch had unreadable images, more than 20 (20, or 1 %' in said
    )
    assert f'{images}/bad' in said and '\n' not in said
    assert len(trace(tmp_path / 'run')) < 19


def test_with_no_image_at_all_the_first_sample_stops_the_training(tmp_path):
    cfg = toy_config(tmp_path / 'run', tmp_path / 'nowhere', GOOD)
    with pytest.raises(UnreadableImageError, match='check data_root and data_prefix'):
        train(cfg)


def test_a_defect_behind_the_loader_stops_with_its_own_error(images, tmp_path):
    cfg = toy_config(tmp_path / 'run', images, GOOD)
    cfg.train_dataloader.dataset.pipeline[1].fails_at = 'good3'
    with pytest.raises(OSError, match='a defect behind the loader, at .*good3.jpg'):
        train(cfg)


def test_evaluation_stops_and_names_the_file(images, tmp_path):
    """That a worker process says the same is shown beside the guarded data set."""
    cfg = toy_config(tmp_path / 'run', images, GOOD)
    sampler = dict(type='DefaultSampler', shuffle=False)
    cfg.val_dataloader = {**cfg.train_dataloader, 'sampler': sampler}
    cfg.val_dataloader['dataset'] = {
        **cfg.train_dataloader.dataset,
        'ann_file': 'good1 bad1',
        'test_mode': True,
    }
    cfg.val_cfg, cfg.val_evaluator = dict(), dict(type='NoMetric')
    with pytest.raises(UnreadableImageError) as error:
        train(cfg)
    assert str(error.value).startswith(
        f'{images}/bad1.jpg cannot be read ({TRUNCATED})'
    )


# Several ranks: what one has, all know.


def test_two_ranks_count_together_and_stop_together(images, tmp_path):
    """Three trainings in the same two processes; each rank has every second image.

    count: 12 unreadable images of each rank are 24, more than 20; summed every second
    iteration. list: bad0 is of rank 0, bad1 of rank 1, both in the log of rank 0.
    nan: the 20 images end with nan0, which is in the last of 5 batches of rank 1.
    """
    bad = [f'bad{k}' for k in range(24)]
    good = GOOD.split()
    cases = {
        'count': [*bad, *good, 'good0'],
        'list': ['bad0', 'bad1', *good, 'good0'],
        'nan': [*good, 'good0', 'good1', 'nan0'],
    }
    files = []
    for name, order in cases.items():
        cfg = toy_config(tmp_path / name, images, ' '.join(order))
        cfg.train_dataloader.sampler.shuffle = False
        cfg.launcher = 'pytorch'
        cfg.custom_hooks.append(dict(type='mmdetxfer.UnreadableImagesHook', interval=2))
        files.append(tmp_path / f'{name}.py')
        cfg.dump(files[-1])
    said = said_by_ranks(2, files, tmp_path)
    for lines in said:
        assert list(lines) == ['count', 'nan']
        assert 'had unreadable images, more than 20' in lines['count']
    assert said[0]['count'] == said[1]['count']
    report = tmp_path / 'nan' / 'nonfinite_loss_iter_5_rank_1.json'
    assert 'a non-finite loss at iteration 5 of rank 1: its images' in said[0]['nan']
    assert 'the loss is nan at iteration 5: its images' in said[1]['nan']
    assert all(f'are in {report}; ' in lines['nan'] for lines in said)
    assert json.loads(report.read_text())['images'][-1]['img_id'] == 'nan0'
    assert len(list((tmp_path / 'nan').glob('*.json'))) == 1
    iterations = [len(trace(tmp_path / 'count', rank)) for rank in (0, 1)]
    # Summed before the trace of that iteration is written.
    assert iterations[0] == iterations[1] and iterations[0] % 2 == 1
    (line,) = logged(tmp_path / 'list', 'were replaced')
    assert line.startswith('epoch 1: ') and 'bad0.jpg' in line and 'bad1.jpg' in line


def said_by_ranks(count: int, files: list[Path], folder: Path) -> list[dict]:
    """Train in forks; return the errors that each rank printed, by training."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    common = dict(WORLD_SIZE=count, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    common['CUDA_VISIBLE_DEVICES'] = ''
    server, started = server_with_imports(), []
    for rank in range(count):
        places = dict(common, RANK=rank, LOCAL_RANK=rank)
        environment = {key: str(value) for key, value in places.items()}
        log = folder / f'rank_{rank}.txt'
        process = server.Process(target=train_as_rank, args=(files, environment, log))
        process.start()
        started.append((process, log))
    return [lines_of(process, log) for process, log in started]


def lines_of(process: BaseProcess, log: Path) -> dict[str, str]:
    """Return the errors that a rank printed, by training."""
    process.join(timeout=120)
    output = log.read_text()
    assert process.exitcode == 0, output[-3000:]
    starts = ('count: ', 'list: ', 'nan: ')
    lines = [line for line in output.splitlines() if line.startswith(starts)]
    return dict(line.split(': ', 1) for line in lines)
