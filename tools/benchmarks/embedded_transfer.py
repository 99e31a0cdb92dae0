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
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tool_runs import ROOT, all_of, hold, keep_settings, run_tool

from mmdetxfer.checkpoints.writing import sha256_of_file, write_text_atomically
from mmdetxfer.config_hash import config_hash
from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.json_lines import write_json_lines

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
OCCLUSION = 'work_dirs/world_small/VOCocclusion'
Key = tuple[str, float]


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
        scored: Returns them for predictions, given a config, options and files.
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
    scored: Callable[..., dict]


def scores_of_detectors(
    config: str, options: Sequence[str], files: Mapping[Key, Path]
) -> dict[Key, list[float]]:
    """Return AP50 and AP70 of detections."""
    from mmdetxfer.evaluation.detector_comparison import read_test_set

    data = read_test_set(config, options)
    return {key: data.mean_precisions(path, (0.5, 0.7)) for key, path in files.items()}


def scores_of_segmentors(
    config: str, options: Sequence[str], files: Mapping[Key, Path]
) -> dict[Key, list[float]]:
    """Return the mIoU of label maps."""
    from mmdetxfer.evaluation.segmentor_comparison import mean_ious, read_test_set

    data = read_test_set(config, options)
    return {key: [miou] for key, miou in mean_ious(data, files).items()}


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
    comparison=('compare_detectors.py', '--occlusion', OCCLUSION),
    scores=('AP50', 'AP70'),
    scored=scores_of_detectors,
)
_LABELS = 'train_dataloader.dataset.datasets.1'
SEGMENTATION = Task(
    transfer=CONFIGS / 'transfer_seg/deeplab_r18_1xb8-500i_world-voc.py',
    scratch=CONFIGS / 'transfer_seg/deeplab_r18-scratch_1xb8-500i_world-voc.py',
    rates=(0.02, 0.06, 0.18, 0.54),
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
    scored=scores_of_segmentors,
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
    edges = (min(task.rates), max(task.rates))
    at_edge = [name for name, rate in chosen.items() if rate in edges]
    if at_edge:
        print(f'best at an end of the grid, so perhaps not the best: {at_edge}')


def choose(args: argparse.Namespace) -> dict[str, float]:
    """Return the best rate of each candidate on the rest, after all trials."""
    keys = [(name, rate) for rate in args.task.rates for name in CANDIDATES]
    files = all_of(keys, lambda key: trial(args, *key), args.jobs)
    found = args.task.scored(str(args.task.transfer), args.task.rest, files)
    scores: dict[str, dict[float, list[float]]] = {}
    for (name, rate), own in found.items():
        scores.setdefault(name, {})[rate] = own
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
    write_json_lines(args.work_dir / 'trials.jsonl', lines)
    return {**chosen, LONGER: chosen['scratch']}


@one_line_errors
def main() -> None:
    """Run what is missing, choose, refit, compare."""
    args = parse_args()
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
    found = all_of(keys, lambda key: final(args, *key, chosen[key[0]]), args.jobs)
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
