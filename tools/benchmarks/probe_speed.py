"""How fast is a path of logistic probes, and how good, beside scikit-learn's?

    python tools/benchmarks/probe_speed.py [--path]

Generated features of correlated channels, whose classes overlap. Strengths spread over
the strong part of the grid; scikit-learn's lbfgs with tol 1e-8 and warm starts, on the
same standardised features, between two runs of ours, with as many threads. Objectives
are recomputed in double precision from either's weights; memory is what the process
holds at most beyond the features, as Linux counts it. With --path also the choice of a
strength out of the whole grid, with its refit. Seconds are of the clock and of
processors; the latter change little with other work beside it. With the default sizes
half an hour and more, most of it scikit-learn's.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.probes import (
    STRENGTHS,
    choose_logistic,
    eigenbasis,
    fit_logistic,
    held_out_rows,
    probe_of,
)

LEAST_STRENGTH = 0.1


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=23_000)
    parser.add_argument('--features', type=int, default=2048)
    parser.add_argument('--classes', type=int, default=257)
    parser.add_argument('--strengths', type=int, default=5, help='of the strong ones')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--path', action='store_true', help='the whole grid, too')
    return parser.parse_args()


def generated(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return features in single precision and labels that no plane separates."""
    rng = np.random.default_rng(0)
    hidden = min(args.features, 256)
    shared = rng.standard_normal((args.images, hidden), dtype=np.float32)
    mixing = rng.standard_normal((hidden, args.features), dtype=np.float32)
    features = shared @ (mixing / np.sqrt(hidden, dtype=np.float32))
    features += rng.standard_normal(features.shape, dtype=np.float32)
    np.maximum(features, 0, out=features)
    weights = rng.standard_normal((hidden, args.classes), dtype=np.float32)
    logits = shared @ weights / np.float32(np.sqrt(hidden) / 3)
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    labels[: args.classes] = np.arange(args.classes)
    return features, labels


def objective(
    features: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    intercept: np.ndarray,
    strength: float,
) -> float:
    """Return the sum of losses and the penalty, in double precision, in blocks."""
    loss = 0.0
    for start in range(0, len(features), 2048):
        rows = slice(start, start + 2048)
        logits = features[rows].astype(np.float64) @ weights + intercept
        top = logits.max(1, keepdims=True)
        sums = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
        loss += float((sums - logits[np.arange(len(logits)), labels[rows]]).sum())
    return loss + strength / 2 * float((weights**2).sum())


def our_way(
    scaled: np.ndarray, labels: np.ndarray, strengths: Sequence[float], num_classes: int
) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return weights, intercept and steps of each strength."""
    basis, fit, found = eigenbasis(scaled, is_standardised=False), None, []
    for strength in strengths:
        fit = fit_logistic(basis, labels, num_classes, strength, fit)
        if not fit.is_converged:
            raise UserError(f'strength {strength:g}: expected a fit that converges')
        probe = probe_of(basis, fit)
        own = (probe.weights.numpy(), probe.intercept.numpy(), fit.steps)
        found.append(own)
    return found


def scikit_learns_way(
    scaled: np.ndarray, labels: np.ndarray, strengths: Sequence[float]
) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return the same of scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    model, found = LogisticRegression(tol=1e-8, max_iter=5000, warm_start=True), []
    for strength in strengths:
        model.set_params(C=1 / strength).fit(scaled, labels)
        steps = int(model.n_iter_.max())
        found.append((model.coef_.T.copy(), model.intercept_.copy(), steps))
    return found


def memory_mib(kind: str) -> float:
    """Return what this process holds now ('VmRSS'), or held at most ('VmHWM')."""
    lines = Path('/proc/self/status').read_text().splitlines()
    (line,) = [one for one in lines if one.startswith(f'{kind}:')]
    return int(line.split()[1]) / 1024


def forget_peak() -> float:
    """Let what is held at most begin anew; return what is held now."""
    Path('/proc/self/clear_refs').write_text('5')
    return memory_mib('VmRSS')


def objectives(
    scaled: np.ndarray,
    labels: np.ndarray,
    strengths: Sequence[float],
    mine: Sequence[tuple],
    theirs: Sequence[tuple],
) -> Table:
    """Return steps of both, and how much worse our objectives are."""
    table = Table(
        'strength', 'steps', "scikit-learn's", 'objective less its, of N ln K'
    )
    unit = len(labels) * np.log(labels.max() + 1)
    for strength, one, other in zip(strengths, mine, theirs, strict=True):
        ends = [objective(scaled, labels, *w[:2], strength) for w in (one, other)]
        worse = (ends[0] - ends[1]) / unit
        table.add_row(f'{strength:.3g}', str(one[2]), str(other[2]), f'{worse:+.1e}')
    return table


def clocks() -> np.ndarray:
    """Return (2,) seconds now: of the clock, and of processors until now."""
    return np.array([time.perf_counter(), time.process_time()])


def whole_path(features: np.ndarray, labels: np.ndarray, num_classes: int) -> str:
    """Return what the choice of a strength out of the whole grid takes."""
    held, begun = forget_peak(), clocks()
    choice = choose_logistic(features, labels, held_out_rows(labels), num_classes)
    taken, memory = clocks() - begun, memory_mib('VmHWM') - held
    return (
        f'choice among {len(choice.scores)} of {len(STRENGTHS)} strengths and refit: '
        f'{taken[0]:.0f} s ({taken[1]:.0f} of processors), {memory:.0f} MiB beyond the '
        f'features, strength {choice.probe.strength:.3g}'
    )


@one_line_errors
def main() -> None:
    """Measure and print."""
    args = parse_args()
    strong = [one for one in STRENGTHS if one >= LEAST_STRENGTH]
    if not 2 <= args.strengths <= len(strong) or args.classes < 2:
        raise UserError(
            f'expected 2 to {len(strong)} strengths and 2 classes or more, got '
            f'{args.strengths} and {args.classes}'
        )
    torch.set_num_threads(args.threads)
    places = np.linspace(0, len(strong) - 1, args.strengths).round().astype(int)
    strengths = [strong[place] for place in places]
    features, labels = generated(args)
    scaled = (features - features.mean(0)) / features.std(0)
    small = (scaled[: 4 * args.classes, :32], labels[: 4 * args.classes])
    # Once before the clock starts.
    our_way(*small, strengths[:1], args.classes)
    scikit_learns_way(*small, strengths[:1])
    held, begun = forget_peak(), clocks()
    mine = our_way(scaled, labels, strengths, args.classes)
    mine_s, memory = [clocks() - begun], memory_mib('VmHWM') - held
    console = Console(width=100)
    console.print(f'ours: {memory:.0f} MiB beyond the features')
    if args.path:
        console.print(whole_path(features, labels, args.classes))
    begun = clocks()
    theirs = scikit_learns_way(scaled, labels, strengths)
    theirs_s = clocks() - begun
    console.print(objectives(scaled, labels, strengths, mine, theirs))
    # A shared machine has faster and slower minutes: ours before and after.
    begun = clocks()
    our_way(scaled, labels, strengths, args.classes)
    mine_s.append(clocks() - begun)
    ratios = 2 * theirs_s / sum(mine_s)
    seconds = [f'{s[0]:.1f} s ({s[1]:.1f} of processors)' for s in (*mine_s, theirs_s)]
    console.print(
        f'ours: {seconds[0]} before, {seconds[1]} after; scikit-learn: {seconds[2]}; '
        f'ours is {ratios[0]:.1f} times faster ({ratios[1]:.1f} by processors)'
    )


if __name__ == '__main__':
    main()
