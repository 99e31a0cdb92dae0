"""What a training starts from: a checkpoint to go on from, weights, or nothing."""

import os
from pathlib import Path
from typing import Any

from mmdetxfer.checkpoints.resumable import find_resumable, resumable_at


def settle_resume(cfg: Any, wanted: str | None) -> str:
    """Decide what a training starts from and write it into the config.

    Args:
        cfg: The config with its ``work_dir``; ``resume``, ``load_from`` and the seed
        are
            written.
        wanted: None, 'auto' or a path, as given to ``--resume``.

    Returns:
        One line that says what was decided.
    """
    wanted = wanted or ('auto' if cfg.get('resume') else None)
    cfg.resume = False
    start = f'load_from={cfg.load_from}' if cfg.get('load_from') else 'no load_from'
    if wanted is None:
        return f'new training, {start}'
    if wanted == 'auto':
        found = find_resumable(Path(cfg.work_dir))
        if found is None:
            return f'nothing to resume in {cfg.work_dir}: new training, {start}'
    else:
        found = resumable_at(Path(wanted))
    cfg.resume, cfg.load_from = True, str(found.path)
    lines = [f'passed over: {reason}' for reason in found.passed_over]
    randomness = dict(cfg.get('randomness') or {})
    stated = randomness.get('seed')
    if found.seed is not None:
        cfg.randomness = {**randomness, 'seed': found.seed}
        if stated not in (None, found.seed):
            lines.append(f"the checkpoint's seed {found.seed} replaces {stated}")
    lines.append(
        f'resuming {found.path}: epoch {found.epoch}, iteration {found.iteration}, '
        f'seed {found.seed}, written by {found.num_ranks or "?"} ranks, now '
        f'{os.environ.get("WORLD_SIZE", os.environ.get("SLURM_NTASKS", 1))}'
    )
    return '\n'.join(lines)
