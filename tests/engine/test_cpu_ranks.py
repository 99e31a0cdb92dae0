"""Ranks without a GPU: what is asked for must be there."""

import pytest

from mmdetxfer.engine.cpu_ranks import join_cpu_ranks
from mmdetxfer.errors import UserError


@pytest.mark.parametrize(
    ('launcher', 'message'),
    [
        ('mpi', "expected 'none', 'pytorch' or 'slurm', got 'mpi'"),
        ('pytorch', 'RANK and WORLD_SIZE not set; start the ranks with'),
        ('slurm', 'SLURM_PROCID is not set; start with srun'),
    ],
)
def test_a_launcher_that_did_not_launch_is_refused(monkeypatch, launcher, message):
    for name in ('RANK', 'WORLD_SIZE', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=message):
        join_cpu_ranks(launcher, {})
