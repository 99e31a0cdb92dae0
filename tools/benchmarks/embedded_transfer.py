"""Which pre-training detects better on the embedded world's target set?

    bash tools/embedded_candidates.sh
    python tools/benchmarks/embedded_transfer.py

The protocol, small: each candidate is fine-tuned with three learning rates on VOC2007's
train split (75 images, seed 0); the best on its val split (the mean of AP50 and AP70,
area rule) is refitted on both with every seed the candidate has and scored once on
test, over scales. A seed runs through the whole chain. Scratch has an entry of its own
with twice the schedule, at the rate of scratch.

Two trainings run at a time (--jobs) with one thread each. It can be killed and goes on
where it was; comparison, records and figures are in --work-dir/comparison.
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
from functools import cache
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from mmdetxfer.checkpoints.writing import sha256_of_file, write_text_atomically
from mmdetxfer.config_hash import config_hash
from mmdetxfer.errors import UserError, one_line_errors

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs' / 'transfer_det'
TRANSFER = CONFIGS / 'sniper_r18-c4c5_1xb16-7e_world-voc.py'
SCRATCH = CONFIGS / 'sniper_r18-c4c5-scratch_1xb16-7e_world-voc.py'
# At 0.01 all candidates were far from trained (AP50 on val 0.007 to 0.061).
RATES = (0.03, 0.06, 0.12)
# Candidate: the last checkpoint of its training, and its seeds.
CANDIDATES = {
    'cls': ('epoch_21.pth', (0, 1, 2)),
    'scratch': (None, (0, 1, 2)),
    'det': ('epoch_4.pth', (0, 1, 2)),
    'cls-longer': ('epoch_21.pth', (0,)),
    'cls-det': ('epoch_4.pth', (0,)),
}
LONGER = 'scratch-longer'
TWICE = [
    'train_cfg.max_epochs=14',
    'param_scheduler.1.milestones=[10]',
]
SPLITS = 'VOC2007/ImageSets/Main'
running: set[subprocess.Popen] = set()
held: list[TextIO] = []


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--candidates', default='work_dirs/embedded_candidates')
    parser.add_argument('--work-dir', default='work_dirs/embedded_transfer')
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


def fine_tune(folder: Path, checkpoint: Path | None, options: list, split: str) -> Path:
    """Train and test once, if that is not done; return the predictions."""
    found = folder / 'predictions.npz'
    config = SCRATCH if checkpoint is None else TRANSFER
    # No image of the test set is looked at before the one score at the end.
    options = ['train_cfg.val_begin=1000', *options]
    keep_settings(folder, config, checkpoint, [*options, split])
    if found.is_file():
        return found
    print(f'fine-tuning in {folder}', flush=True)
    log = folder / 'log.txt'
    if checkpoint is not None:
        options = [f'load_from={checkpoint}', *options]
    arguments = [config, '--work-dir', folder, '--resume', '--cfg-options', *options]
    run_tool('train.py', arguments, log)
    last = (folder / 'last_checkpoint').read_text().strip()
    arguments = [config, last, '--tta', '--out', found, '--work-dir', folder / 'tests']
    arguments += ['--cfg-options', f'test_dataloader.dataset.ann_file={split}']
    run_tool('test.py', arguments, log)
    return found


def keep_settings(
    folder: Path, config: Path, checkpoint: Path | None, options: list
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
    """Fine-tune with a rate on the train split; return predictions for val."""
    folder = args.work_dir / 'trials' / name / f'rate_{rate}'
    options = ['randomness.seed=0', f'optim_wrapper.optimizer.lr={rate}']
    options += [f'train_dataloader.dataset.dataset.ann_file={SPLITS}/train.txt']
    return fine_tune(folder, checkpoint_of(args, name, 0), options, f'{SPLITS}/val.txt')


def final(args: argparse.Namespace, name: str, seed: int, rate: float) -> Path:
    """Fine-tune with the chosen rate on both splits; return predictions for test."""
    folder = args.work_dir / 'finals' / name / f'seed_{seed}'
    options = [f'randomness.seed={seed}', f'optim_wrapper.optimizer.lr={rate}']
    options += TWICE if name == LONGER else []
    checkpoint = checkpoint_of(args, name, seed)
    return fine_tune(folder, checkpoint, options, f'{SPLITS}/test.txt')


def trial_scores(files: dict[tuple[str, float], Path]) -> dict[str, dict]:
    """Return each candidate's scores on val by rate."""
    from mmdetxfer.evaluation.detector_comparison import read_test_set
    from mmdetxfer.scoring.comparison import sweep_records

    options = [f'test_dataloader.dataset.ann_file={SPLITS}/val.txt']
    test_set = read_test_set(str(TRANSFER), options)
    candidates = {key: [test_set.found(path)] for key, path in files.items()}
    num_classes = len(test_set.classes)
    scores: dict[str, dict] = {}
    records = sweep_records(test_set.truth, candidates, (0.5, 0.7), num_classes)
    for record in records:
        if record['rule'] == 'area':
            name, rate = record['candidate']
            scores.setdefault(name, {}).setdefault(rate, []).append(record['value'])
    return scores


def print_trials(scores: dict[str, dict], chosen: dict[str, float]) -> None:
    """Print what was tried and chosen."""
    table = Table('candidate', *(f'rate {rate}: AP50, AP70' for rate in RATES))
    for name, by_rate in scores.items():
        cells = [
            ', '.join(f'{value:.3f}' for value in by_rate[rate])
            + (' *' if rate == chosen[name] else '')
            for rate in RATES
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
    """Return the best rate of each candidate on val, after all trials."""
    keys = [(name, rate) for rate in RATES for name in CANDIDATES]
    with ThreadPoolExecutor(args.jobs) as pool:
        files = all_of(pool, keys, lambda key: trial(args, *key))
    scores = trial_scores(files)
    chosen = {
        name: max(by_rate, key=lambda rate: sum(by_rate[rate]))
        for name, by_rate in scores.items()
    }
    print_trials(scores, chosen)
    lines = [
        dict(candidate=name, rate=rate, AP50=value[0], AP70=value[1])
        for name, by_rate in scores.items()
        for rate, value in by_rate.items()
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
    args.work_dir = Path(args.work_dir).resolve()
    args.candidates = Path(args.candidates).resolve()
    # The configs' data are relative to the repository.
    os.chdir(ROOT)
    hold(args.work_dir)
    seeds = {name: seeds for name, (_, seeds) in CANDIDATES.items()}
    seeds[LONGER] = seeds['scratch']
    keys = [(name, seed) for name, own in seeds.items() for seed in own]
    for key in keys:
        checkpoint_of(args, *key)
    for config in (TRANSFER, SCRATCH):
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
    options = ['--config', TRANSFER, '--out', args.work_dir / 'comparison']
    run_tool('analysis_tools/compare_detectors.py', [*words, *options], log)
    print(log.read_text())


if __name__ == '__main__':
    main()
