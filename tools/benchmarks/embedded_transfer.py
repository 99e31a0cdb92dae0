"""Which pre-training transfers better to the embedded world's target?

    bash tools/embedded_candidates.sh
    python tools/benchmarks/embedded_transfer.py detection
    python tools/benchmarks/embedded_transfer.py segmentation

The protocol, small: each candidate is fine-tuned with three learning rates on a part of
the target's train set (seed 0); the best on the rest is refitted on all with every seed
the candidate has, and scored once on test. A seed runs through the whole chain. Scratch
has an entry of its own with twice the schedule, at the rate of scratch.

Two trainings run at a time (--jobs) with one thread each. It can be killed and goes on
where it was; what other configs, checkpoints or rates made is refused. Comparison,
records and figures are in --work-dir/comparison.
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from mmdetxfer.checkpoints.writing import sha256_of_file, write_text_atomically
from mmdetxfer.config_hash import config_hash
from mmdetxfer.errors import UserError, one_line_errors

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
# Candidate: the last checkpoint of its training, and its seeds.
CANDIDATES = {
    'cls': ('epoch_21.pth', (0, 1, 2)),
    'scratch': (None, (0, 1, 2)),
    'det': ('epoch_4.pth', (0, 1, 2)),
    'cls-longer': ('epoch_21.pth', (0, 1, 2)),
    'cls-det': ('epoch_4.pth', (0, 1, 2)),
}
LONGER = 'scratch-longer'
running: set[subprocess.Popen] = set()
held: list[TextIO] = []


@dataclass(frozen=True)
class Task:
    """What a kind of transfer runs.

    Args:
        transfer: Config that begins with a candidate.
        scratch: The same without one.
        rates: Learning rates that are tried.
        longer: Options for twice the schedule.
        part: Options to train on a part of the train set.
        rest: Options to test on the rest of it.
        found: Name of the predictions in a run's folder.
        switches: Of the test.
        comparison: The tool that compares, and its options.
        scores: Names of the scores whose mean chooses.
    """

    transfer: Path
    scratch: Path
    rates: tuple[float, ...]
    longer: tuple[str, ...]
    part: tuple[str, ...]
    rest: tuple[str, ...]
    found: str
    switches: tuple[str, ...]
    comparison: tuple[str, ...]
    scores: tuple[str, ...]


DETECTION = Task(
    transfer=CONFIGS / 'transfer_det/sniper_r18-c4c5_1xb16-7e_world-voc.py',
    scratch=CONFIGS / 'transfer_det/sniper_r18-c4c5-scratch_1xb16-7e_world-voc.py',
    # At 0.01 all candidates were far from trained (AP50 on val 0.007 to 0.061).
    rates=(0.03, 0.06, 0.12),
    longer=('train_cfg.max_epochs=14', 'param_scheduler.1.milestones=[10]'),
    part=(
        'train_dataloader.dataset.dataset.ann_file=VOC2007/ImageSets/Main/train.txt',
    ),
    rest=('test_dataloader.dataset.ann_file=VOC2007/ImageSets/Main/val.txt',),
    found='predictions.npz',
    switches=('--tta',),
    comparison=('compare_detectors.py',),
    scores=('AP50', 'AP70'),
)
_LABELS = 'train_dataloader.dataset.datasets.1'
SEGMENTATION = Task(
    transfer=CONFIGS / 'transfer_seg/deeplab_r18_1xb8-500i_world-voc.py',
    scratch=CONFIGS / 'transfer_seg/deeplab_r18-scratch_1xb8-500i_world-voc.py',
    rates=(0.02, 0.06, 0.18),
    longer=('train_cfg.max_iters=1000', 'param_scheduler.1.milestones=[700]'),
    # Twice VOC's own images, and tested on SBD's: a loader draws without end.
    part=(
        f'{_LABELS}.ann_file=ImageSets/Segmentation/train.txt',
        f'{_LABELS}.data_prefix.seg_map_path=SegmentationClass',
    ),
    rest=(
        'test_dataloader.dataset.ann_file=ImageSets/Segmentation/aug.txt',
        'test_dataloader.dataset.data_prefix.seg_map_path=SegmentationClassAug',
    ),
    found='label_maps',
    switches=(),
    comparison=('compare_segmentors.py', '--widths', *map(str, range(1, 13))),
    scores=('mIoU',),
)
TASKS = {'detection': DETECTION, 'segmentation': SEGMENTATION}


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('task', choices=TASKS)
    parser.add_argument('--candidates', default='work_dirs/embedded_candidates')
    parser.add_argument('--work-dir', help='work_dirs/embedded_TASK by default')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time')
    return parser.parse_args()


def run_tool(name: str, arguments: list, log: Path) -> None:
    """Run one of the tools in the repository with one thread, its output in a log."""
    command = [sys.executable, str(ROOT / 'tools' / name), *map(str, arguments)]
    environment = dict(os.environ, OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')
    with open(log, 'a') as stream:
        streams = dict(stdout=stream, stderr=subprocess.STDOUT)
        # Trainings inherit the lock, so that those of a killed call hold it.
        streams['pass_fds'] = [lock.fileno() for lock in held]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, **streams)
        running.add(process)
        code = process.wait()
        running.discard(process)
    if code != 0:
        raise UserError(f'{name} failed with exit code {code}; see {log}')


def hold(work_dir: Path) -> None:
    """Hold the folder alone until the last training has ended."""
    work_dir.mkdir(parents=True, exist_ok=True)
    held.append(open(work_dir / '.lock', 'w'))
    try:
        fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f'{work_dir}: another call, or trainings that a killed one left, work '
            'there; wait for them, or kill them and call again'
        ) from None


def fine_tune(
    args: argparse.Namespace,
    place: str,
    checkpoint: Path | None,
    options: list[str],
    tested: tuple[str, ...],
) -> Path:
    """Train and test once, if that is not done; return the predictions."""
    task, folder = args.task, args.work_dir / place
    found = folder / task.found
    config = task.scratch if checkpoint is None else task.transfer
    # No image of the test set is looked at before the one score at the end.
    options = ['train_cfg.val_begin=1000000', *options]
    keep_settings(folder, config, checkpoint, [*options, *tested])
    if (folder / 'done').is_file():
        return found
    print(f'fine-tuning in {folder}', flush=True)
    log = folder / 'log.txt'
    if checkpoint is not None:
        options = [f'load_from={checkpoint}', *options]
    arguments = [config, '--work-dir', folder, '--resume', '--cfg-options', *options]
    run_tool('train.py', arguments, log)
    last = (folder / 'last_checkpoint').read_text().strip()
    arguments = [config, last, '--out', found, '--work-dir', folder / 'tests']
    arguments += [*task.switches, *(['--cfg-options', *tested] if tested else [])]
    run_tool('test.py', arguments, log)
    write_text_atomically(folder / 'done', '')
    return found


def keep_settings(
    folder: Path, config: Path, checkpoint: Path | None, options: list[str]
) -> None:
    """Write down what a folder holds; refuse one that holds something else."""
    mine = dict(
        config=hash_of(config),
        checkpoint=None if checkpoint is None else sha256_of_file(checkpoint),
        options=options,
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'settings.json'
    if not path.is_file():
        write_text_atomically(path, json.dumps(mine, indent=1))
    theirs = json.loads(path.read_text())
    other = [key for key in mine if mine[key] != theirs[key]]
    if other:
        raise UserError(
            f'{folder}: it holds results of another {" and ".join(other)}; remove '
            'it, or name another --work-dir'
        )


@cache
def hash_of(config: Path) -> str:
    """Return a config's hash, read once: mmengine cannot read in two threads."""
    return config_hash(config)


def checkpoint_of(args: argparse.Namespace, name: str, seed: int) -> Path | None:
    """Return the file that a candidate begins with."""
    file, _ = CANDIDATES.get(name, (None, ()))
    if file is None:
        return None
    path = args.candidates / name / f'seed_{seed}' / file
    if not path.is_file():
        raise UserError(
            f'{path}: expected a candidate there; make them with bash '
            'tools/embedded_candidates.sh'
        )
    return path


def trial(args: argparse.Namespace, name: str, rate: float) -> Path:
    """Fine-tune with a rate on a part; return predictions for the rest."""
    options = ['randomness.seed=0', f'optim_wrapper.optimizer.lr={rate}']
    place, checkpoint = f'trials/{name}/rate_{rate}', checkpoint_of(args, name, 0)
    return fine_tune(
        args, place, checkpoint, [*options, *args.task.part], args.task.rest
    )


def final(args: argparse.Namespace, name: str, seed: int, rate: float) -> Path:
    """Fine-tune with the chosen rate on all; return predictions for test."""
    options = [f'randomness.seed={seed}', f'optim_wrapper.optimizer.lr={rate}']
    options += args.task.longer if name == LONGER else ()
    checkpoint = checkpoint_of(args, name, seed)
    return fine_tune(args, f'finals/{name}/seed_{seed}', checkpoint, options, ())


def trial_scores(
    args: argparse.Namespace, files: dict[tuple[str, float], Path]
) -> dict[str, dict[float, list[float]]]:
    """Return each candidate's scores on the rest by rate."""
    from mmdetxfer.evaluation import detector_comparison, segmentor_comparison
    from mmdetxfer.scoring.comparison import sweep_records
    from mmdetxfer.scoring.segmentation_comparison import scores_of
    from mmdetxfer.scoring.segmentation_counts import BandSettings

    config, options = str(args.task.transfer), list(args.task.rest)
    scores: dict[str, dict[float, list[float]]] = {}
    if args.task is DETECTION:
        data = detector_comparison.read_test_set(config, options)
        found = {key: [data.found(path)] for key, path in files.items()}
        records = sweep_records(data.truth, found, (0.5, 0.7), len(data.classes))
        for record in (one for one in records if one['rule'] == 'area'):
            name, rate = record['candidate']
            own = scores.setdefault(name, {}).setdefault(rate, [])
            own.append(record['value'])
        return scores
    data = segmentor_comparison.read_test_set(config, options)
    settings = BandSettings(len(data.classes), (1,))
    counts = segmentor_comparison.counted(
        data, list(files.values()), settings, lambda *_: None
    )
    for (name, rate), own in zip(files, counts, strict=True):
        value = float(scores_of(own, (1,), 1)['mIoU'])
        scores.setdefault(name, {})[rate] = [value]
    return scores


def print_trials(
    task: Task, scores: dict[str, dict[float, list[float]]], chosen: dict[str, float]
) -> None:
    """Print what was tried and chosen."""
    heads = (f'rate {rate}: {", ".join(task.scores)}' for rate in task.rates)
    table = Table('candidate', *heads)
    for name, by_rate in scores.items():
        cells = [
            ', '.join(f'{value:.3f}' for value in by_rate[rate])
            + (' *' if rate == chosen[name] else '')
            for rate in task.rates
        ]
        table.add_row(name, *cells)
    Console(width=100).print(table)


def all_of(
    pool: ThreadPoolExecutor, keys: list[tuple], run: Callable[[tuple], Path]
) -> dict[tuple, Path]:
    """Run all keys; when one fails, none is begun any more."""
    futures = {key: pool.submit(run, key) for key in keys}
    try:
        wait(futures.values(), return_when=FIRST_EXCEPTION)
    finally:
        # Of those that ended, the first that failed says why.
        pool.shutdown(wait=False, cancel_futures=True)
    for future in futures.values():
        if future.done() and not future.cancelled():
            future.result()
    return {key: future.result() for key, future in futures.items()}


def choose(args: argparse.Namespace) -> dict[str, float]:
    """Return the best rate of each candidate on the rest, after all trials."""
    keys = [(name, rate) for rate in args.task.rates for name in CANDIDATES]
    with ThreadPoolExecutor(args.jobs) as pool:
        files = all_of(pool, keys, lambda key: trial(args, *key))
    scores = trial_scores(args, files)
    chosen = {
        name: max(by_rate, key=lambda rate: sum(by_rate[rate]))
        for name, by_rate in scores.items()
    }
    print_trials(args.task, scores, chosen)
    lines = [
        dict(candidate=name, rate=rate, **dict(zip(args.task.scores, own, strict=True)))
        for name, by_rate in scores.items()
        for rate, own in by_rate.items()
    ]
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    write_text_atomically(args.work_dir / 'trials.jsonl', text)
    return {**chosen, LONGER: chosen['scratch']}


def stop(*_: object) -> None:
    """End the trainings and this program."""
    for process in list(running):
        process.terminate()
    raise SystemExit(1)


@one_line_errors
def main() -> None:
    """Run what is missing, choose, refit, compare."""
    args = parse_args()
    if args.jobs < 1:
        raise UserError(f'--jobs: expected 1 or more, got {args.jobs}')
    signal.signal(signal.SIGTERM, stop)
    work_dir = args.work_dir or ROOT / 'work_dirs' / f'embedded_{args.task}'
    args.work_dir, args.task = Path(work_dir).resolve(), TASKS[args.task]
    args.candidates = Path(args.candidates).resolve()
    # The configs' data are relative to the repository.
    os.chdir(ROOT)
    hold(args.work_dir)
    seeds = {name: seeds for name, (_, seeds) in CANDIDATES.items()}
    seeds[LONGER] = seeds['scratch']
    keys = [(name, seed) for name, own in seeds.items() for seed in own]
    for key in keys:
        checkpoint_of(args, *key)
    for config in (args.task.transfer, args.task.scratch):
        hash_of(config)
    chosen = choose(args)
    keys.sort(key=lambda key: key[1])
    with ThreadPoolExecutor(args.jobs) as pool:
        found = all_of(pool, keys, lambda key: final(args, *key, chosen[key[0]]))
    words = [
        f'{name}=' + ','.join(str(found[name, seed]) for seed in own)
        for name, own in seeds.items()
    ]
    log = args.work_dir / 'comparison.txt'
    log.unlink(missing_ok=True)
    tool, *options = args.task.comparison
    options += ['--config', args.task.transfer, '--out', args.work_dir / 'comparison']
    run_tool(f'analysis_tools/{tool}', [*words, *options], log)
    print(log.read_text())


if __name__ == '__main__':
    main()
