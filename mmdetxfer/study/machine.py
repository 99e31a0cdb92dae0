"""What of this machine a run may use."""

import os

from mmdetxfer.study.cells import Plan


def num_gpus() -> int:
    """Return how many GPUs this machine shows."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


# Of Slurm, which runs what it has place for.
JOBS_OF_SLURM = 100


def default_jobs(plan: Plan, gpus: int, executor: str = 'local') -> int:
    """Return how many cells run at a time where nothing is said.

    Args:
        plan: The plan, whose threads count on a CPU.
        gpus: Of one cell.
        executor: Where cells run.
    """
    if executor == 'slurm':
        return JOBS_OF_SLURM
    if gpus:
        return max(num_gpus() // gpus, 1)
    return max(len(os.sched_getaffinity(0)) // plan.study.threads, 1)
