"""Which pre-training transfers better to the embedded world's target?

    bash tools/embedded_candidates.sh
    python tools/benchmarks/embedded_transfer.py detection
    python tools/benchmarks/embedded_transfer.py segmentation
    python tools/benchmarks/embedded_transfer.py classification

The protocol, small: each candidate is fine-tuned with a few learning rates (in
classification with weight decays too) on a part of the target's train set (seed 0); the
best on the rest is refitted on all with every seed the candidate has, and scored once
on test. A seed runs through the whole chain. Scratch has an entry of its own with twice
the schedule, at the rate of scratch. Classification has three targets, one after the
other, and then probes of all layers (tools/probe.py).

Two trainings run at a time (--jobs) with one thread each. It can be killed and goes on
where it was; what other configs, checkpoints or rates made is refused. Comparison,
records and figures are in --work-dir/comparison.
"""

import argparse
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from embedded_tasks import CLASSIFICATION, PROBES, TASKS, Setting, Task
from rich.console import Console
from rich.table import Table
from tool_runs import ROOT, all_of, hold, keep_settings, release, run_tool

from mmdetxfer.config_hash import config_hash
from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.json_lines import write_json_lines
from mmdetxfer.text_files import sha256_of_file, write_text_atomically

# Candidate: the last checkpoint of its training, and its seeds.
CANDIDATES = {
    'cls': ('epoch_21.pth', (0, 1, 2)),
    'scratch': (None, (0, 1, 2)),
    'det': ('epoch_4.pth', (0, 1, 2)),
    'cls-longer': ('epoch_21.pth', (0, 1, 2)),
    'cls-det': ('epoch_4.pth', (0, 1, 2)),
}
LONGER = 'scratch-longer'
CANDIDATES_DIR = 'work_dirs/embedded_candidates'


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('task', choices=[*TASKS, 'classification'])
    parser.add_argument('--candidates', default=CANDIDATES_DIR)
    parser.add_argument('--work-dir', help='work_dirs/embedded_TASK by default')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time')
    return parser.parse_args()


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
    if checkpoint is None:
        options += task.without
    settings = dict(
        config=hash_of(config),
        checkpoint=None if checkpoint is None else sha256_of_file(checkpoint),
        options=[*options, *tested],
    )
    keep_settings(folder, settings)
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


def options_of(setting: Setting) -> list[str]:
    """Return the options of a rate, and of a weight decay."""
    keys = ('lr', 'weight_decay')
    pairs = zip(keys, setting, strict=False)
    return [f'optim_wrapper.optimizer.{key}={value}' for key, value in pairs]


def name_of(setting: Setting) -> str:
    """Return a setting as text: a rate, and a weight decay behind it."""
    return '_decay_'.join(map(str, setting))


def trial(args: argparse.Namespace, name: str, setting: Setting) -> Path:
    """Fine-tune with a setting on a part; return predictions for the rest."""
    options = ['randomness.seed=0', *options_of(setting)]
    place = f'trials/{name}/rate_{name_of(setting)}'
    checkpoint = checkpoint_of(args, name, 0)
    return fine_tune(
        args, place, checkpoint, [*options, *args.task.part], args.task.rest
    )


def final(args: argparse.Namespace, name: str, seed: int, setting: Setting) -> Path:
    """Fine-tune with the chosen setting on all; return predictions for test."""
    options = [f'randomness.seed={seed}', *options_of(setting)]
    options += args.task.longer if name == LONGER else ()
    checkpoint = checkpoint_of(args, name, seed)
    return fine_tune(args, f'finals/{name}/seed_{seed}', checkpoint, options, ())


def print_trials(
    task: Task,
    scores: dict[str, dict[Setting, list[float]]],
    chosen: dict[str, Setting],
) -> None:
    """Print what was tried and chosen."""
    heads = (' '.join(map(str, one)) for one in task.settings)
    table = Table('candidate', *heads, title=f'{", ".join(task.scores)} by rate')
    for name, by_setting in scores.items():
        cells = [
            ', '.join(f'{value:.3f}' for value in by_setting[one])
            + (' *' if one == chosen[name] else '')
            for one in task.settings
        ]
        table.add_row(name, *cells)
    Console(width=120).print(table)
    rates = [one[0] for one in task.settings]
    at_edge = [name for name, one in chosen.items() if one[0] in (rates[0], rates[-1])]
    if at_edge:
        print(f'best at an end of the rates, so perhaps not the best: {at_edge}')


def choose(args: argparse.Namespace) -> dict[str, Setting]:
    """Return the best setting of each candidate on the rest, after all trials."""
    keys = [(name, one) for one in args.task.settings for name in CANDIDATES]
    files = all_of(keys, lambda key: trial(args, *key), args.jobs)
    found = args.task.scored(str(args.task.transfer), args.task.rest, files)
    scores: dict[str, dict[Setting, list[float]]] = {}
    for (name, one), own in found.items():
        scores.setdefault(name, {})[one] = own
    chosen = {
        name: max(by_setting, key=lambda one: sum(by_setting[one]))
        for name, by_setting in scores.items()
    }
    print_trials(args.task, scores, chosen)
    lines = [
        dict(
            candidate=name,
            setting=name_of(one),
            **dict(zip(args.task.scores, own, strict=True)),
        )
        for name, by_setting in scores.items()
        for one, own in by_setting.items()
    ]
    write_json_lines(args.work_dir / 'trials.jsonl', lines)
    return {**chosen, LONGER: chosen['scratch']}


def transfer(args: argparse.Namespace) -> None:
    """Run what is missing, choose, refit, compare."""
    work_dir = args.work_dir or ROOT / 'work_dirs' / f'embedded_{args.task}'
    args.work_dir, args.task = Path(work_dir).resolve(), TASKS[args.task]
    args.candidates = Path(args.candidates).resolve()
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
    found = all_of(keys, lambda key: final(args, *key, chosen[key[0]]), args.jobs)
    release()
    if not args.task.comparison:
        return
    words = [
        f'{name}=' + ','.join(str(found[name, seed]) for seed in own)
        for name, own in seeds.items()
    ]
    tool, *options = args.task.comparison
    options += ['--config', args.task.transfer, '--out', args.work_dir / 'comparison']
    run_and_print(args.work_dir, f'analysis_tools/{tool}', [*words, *options])


def run_and_print(work_dir: Path, tool: str, arguments: Sequence) -> None:
    """Run a tool that compares, and print what it says."""
    work_dir.mkdir(parents=True, exist_ok=True)
    log = work_dir / 'comparison.txt'
    log.unlink(missing_ok=True)
    run_tool(tool, arguments, log)
    print(log.read_text())


@one_line_errors
def main() -> None:
    """Transfer to one target, or to all of classification."""
    args = parse_args()
    # The configs' data are relative to the repository.
    os.chdir(ROOT)
    if args.task != 'classification':
        transfer(args)
        return
    if args.work_dir or args.candidates != CANDIDATES_DIR:
        raise UserError(
            'classification: expected no --work-dir and --candidates, since the plan '
            f'of the probes names the places; name one of {", ".join(CLASSIFICATION)}'
        )
    for name in CLASSIFICATION:
        transfer(argparse.Namespace(**{**vars(args), 'task': name}))
    work_dir = ROOT / 'work_dirs/embedded_classification'
    run_and_print(work_dir, 'probe.py', [PROBES, '--work-dir', work_dir])


if __name__ == '__main__':
    main()
