"""At what cost does SGD reach our probe, on a frozen backbone?

    bash tools/embedded_candidates.sh
    python tools/benchmarks/sgd_probes.py

The baseline that everybody knows is a linear layer that SGD trains for 1, 10 or 100
epochs (configs/transfer_cls/*-linear_*.py). Ours is what tools/probe.py does: features
of both parts once, a strength out of all, a refit. In one process, seed after seed,
from the config to the score on test, without the imports. The baseline is granted more
than a user has: of several rates the one that is best on test counts, and of its trials
the time of one. The goal is a fifth of the time of the cheapest baseline whose mean
over seeds is as good as ours.
"""

import argparse
import gc
import io
import json
import multiprocessing
import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mmdetxfer.engine.launching import train
from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.probe_plan import Candidate, ProbePlan, Target, check_files
from mmdetxfer.probes import ProbeSettings
from mmdetxfer.probing import Place, extract, fitted

CONFIG = 'configs/transfer_cls/r18-c5-linear_1xb32-100e_world-caltech256.py'
NETWORK = 'configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py'
CHECKPOINT = 'work_dirs/embedded_candidates/cls/seed_{seed}/epoch_21.pth'
LAYER = 'Conv5 1x1'
_MOST_SECONDS = 10


@dataclass(frozen=True)
class Run:
    """One way to a classifier, with one seed.

    Args:
        top1: On the test images, in per cent.
        seconds: From the config to the score.
        busy: Of processors, workers included; other work beside it changes it little.
    """

    top1: float
    seconds: float
    busy: float


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', default=CONFIG, help='of the baseline')
    parser.add_argument('--network', default=NETWORK, help='config of the candidate')
    parser.add_argument('--checkpoint', default=CHECKPOINT, help='with {seed}')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--epochs', type=int, nargs='+', default=[1, 10, 100])
    parser.add_argument('--rates', type=float, nargs='+', default=[0.1, 0.3, 1, 3])
    parser.add_argument('--threads', type=int, default=1)
    return parser.parse_args()


def clocks() -> np.ndarray:
    """Return (2,) seconds now: of the clock, and of processors until now."""
    # Workers count when they have ended, and were waited for: with what began them.
    gc.collect()
    for worker in multiprocessing.active_children():
        worker.join(_MOST_SECONDS)
    return np.array([time.perf_counter(), sum(os.times()[:4])])


def by_sgd(args: Namespace, seed: int, epochs: int, rate: float, out: Path) -> Run:
    """Train a linear layer on the frozen backbone, and test it."""
    options = {
        'load_from': args.checkpoint.format(seed=seed),
        'randomness.seed': seed,
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs,
        'param_scheduler.0.T_max': epochs,
        'optim_wrapper.optimizer.lr': rate,
        'experiment_name': out.name,
        'log_level': 'ERROR',
    }
    settings = Namespace(config=args.config, work_dir=str(out), cfg_options=options)
    settings.resume, settings.launcher = None, 'none'
    settings.amp = settings.auto_scale_lr = settings.trust_checkpoint = False
    begun = clocks()
    with redirect_stdout(io.StringIO()):
        train(settings)
    spent = clocks() - begun
    (path,) = out.rglob('scalars.json')
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    (top1,) = [row['accuracy/top1'] for row in rows if 'accuracy/top1' in row]
    print(
        f'seed {seed}, {epochs} epochs at {rate:g}: {top1:.1f}, {spent[0]:.1f} s',
        flush=True,
    )
    return Run(top1, *spent)


def by_probe(plan: ProbePlan, seed: int, out: Path) -> Run:
    """Extract the features of both parts, choose a strength and fit the probe."""
    place = Place('target', 'candidate', seed)
    begun = clocks()
    with redirect_stdout(io.StringIO()):
        folders = extract(plan, place, out, trusts=False)
        found = fitted(plan, place, folders, out, print)
    spent = clocks() - begun
    return Run(100 * np.mean(found[LAYER]['right']), *spent)


def plan_of(args: Namespace) -> ProbePlan:
    """Return the plan of our probes; refuse files that are not there."""
    candidate = Candidate(args.network, args.checkpoint, tuple(args.seeds))
    plan = ProbePlan(
        {'candidate': candidate},
        {'target': Target(args.config)},
        'candidate',
        (LAYER.replace(' 1x1', ':1'),),
        # What else is known of a main layer is no part of a probe.
        main_layer='none',
        settings=ProbeSettings(),
    )
    check_files(plan)
    return plan


def best_rates(
    found: Mapping[tuple[int, float], Sequence[Run]],
) -> dict[int, tuple[float, Sequence[Run]]]:
    """Return for each number of epochs the rate that is best on test, and its runs."""
    best: dict[int, tuple[float, Sequence[Run]]] = {}
    for (epochs, rate), runs in found.items():
        if epochs not in best or mean_top1(runs) > mean_top1(best[epochs][1]):
            best[epochs] = rate, runs
    return best


def mean_top1(runs: Sequence[Run]) -> float:
    """Return the mean over the seeds, in per cent."""
    return float(np.mean([one.top1 for one in runs]))


def mean_seconds(runs: Sequence[Run]) -> np.ndarray:
    """Return (2,) the means over the seeds: of the clock, and of processors."""
    return np.mean([(one.seconds, one.busy) for one in runs], axis=0)


def summary(
    ours: Sequence[Run], best: Mapping[int, tuple[float, Sequence[Run]]]
) -> str:
    """Return which baseline is the cheapest that is as good, and what it costs."""
    equal = [
        epochs
        for epochs, (_, runs) in best.items()
        # Means of per cent: what rounding leaves is no difference.
        if mean_top1(runs) >= mean_top1(ours) - 1e-6
    ]
    if equal:
        epochs = min(equal, key=lambda one: mean_seconds(best[one][1])[0])
        words = f'the cheapest that is as good: {epochs} epochs, '
    else:
        epochs = max(best)
        words = f'no baseline is as good; {epochs} epochs take '
    ratios = mean_seconds(best[epochs][1]) / mean_seconds(ours)
    return f'{words}{ratios[0]:.1f} times our time ({ratios[1]:.1f} of processors)'


def show(ours: Sequence[Run], best: Mapping[int, tuple[float, Sequence[Run]]]) -> None:
    """Print all ways, and the summary."""
    heads = ('seconds', 'of ours', 'of processors', 'of ours')
    table = Table('', 'rate', 'top-1 by seed', 'mean', *heads)
    rows = {'ours': ('', ours)}
    rows.update((f'SGD, {e} epochs', (f'{r:g}', own)) for e, (r, own) in best.items())
    for name, (rate, runs) in rows.items():
        by_seed = ' '.join(f'{one.top1:.1f}' for one in runs)
        seconds = mean_seconds(runs)
        pairs = zip(seconds, seconds / mean_seconds(ours), strict=True)
        cells = [text for s, r in pairs for text in (f'{s:.1f}', f'{r:.2f}')]
        table.add_row(name, rate, by_seed, f'{mean_top1(runs):.1f}', *cells)
    console = Console(width=120)
    console.print(table)
    console.print(summary(ours, best))


@one_line_errors
def main() -> None:
    """Measure in turn and print."""
    args = parse_args()
    if min(*args.epochs, 1) < 1 or min(args.rates) <= 0 or args.threads < 1:
        raise UserError(
            'expected epochs and threads from 1 and rates above 0, got '
            f'{args.epochs}, {args.threads} and {args.rates}'
        )
    torch.set_num_threads(args.threads)
    plan = plan_of(args)
    ours: list[Run] = []
    found: dict[tuple[int, float], list[Run]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Once before the clock starts: hosts are imported when they are needed.
        by_probe(plan, args.seeds[0], folder / 'first')
        by_sgd(args, args.seeds[0], 1, args.rates[0], folder / 'first_sgd')
        for seed in args.seeds:
            ours.append(by_probe(plan, seed, folder / 'ours'))
            for epochs in args.epochs:
                for rate in args.rates:
                    out = folder / f'sgd_{seed}_{epochs}_{rate}'
                    run = by_sgd(args, seed, epochs, rate, out)
                    found.setdefault((epochs, rate), []).append(run)
    show(ours, best_rates(found))


if __name__ == '__main__':
    main()
