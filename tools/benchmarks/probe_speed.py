"""How fast is a path of logistic probes, and how good, beside scikit-learn's?

    python tools/benchmarks/probe_speed.py [--path]

Generated features of correlated channels, whose classes overlap. Strengths spread over
the strong part of the grid; scikit-learn's lbfgs with tol 1e-8 and warm starts, on the
same standardised features, in the same run with as many threads. Objectives are
recomputed in double precision from either's weights; memory is what the process holds
at most beyond the features, before scikit-learn begins. With --path also the choice of
a strength out of the whole grid, with its refit. With the default sizes half an hour
and more, most of it scikit-learn's.
"""

import argparse
import resource
import time
from collections.abc import Sequence

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


def peak_mib() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    held = peak_mib()
    start = time.perf_counter()
    mine = our_way(scaled, labels, strengths, args.classes)
    mine_s, memory = time.perf_counter() - start, peak_mib() - held
    start = time.perf_counter()
    theirs = scikit_learns_way(scaled, labels, strengths)
    theirs_s = time.perf_counter() - start
    table = Table(
        'strength', 'steps', "scikit-learn's", 'objective less its, of N ln K'
    )
    unit = args.images * np.log(args.classes)
    for strength, one, other in zip(strengths, mine, theirs, strict=True):
        ends = [objective(scaled, labels, *w[:2], strength) for w in (one, other)]
        worse = (ends[0] - ends[1]) / unit
        table.add_row(f'{strength:.3g}', str(one[2]), str(other[2]), f'{worse:+.1e}')
    console = Console(width=100)
    console.print(table)
    console.print(
        f'{mine_s:.1f} s against {theirs_s:.1f} s: {theirs_s / mine_s:.1f} times '
        f'faster; {memory:.0f} MiB beyond the features'
    )
    if args.path:
        start = time.perf_counter()
        held_out = held_out_rows(labels)
        choice = choose_logistic(features, labels, held_out, args.classes)
        taken = time.perf_counter() - start
        console.print(
            f'choice among {len(choice.scores)} of {len(STRENGTHS)} strengths and '
            f'refit: {taken:.0f} s, strength {choice.probe.strength:.3g}'
        )


if __name__ == '__main__':
    main()
