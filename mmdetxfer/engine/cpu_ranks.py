"""Processes without a GPU: joined over gloo, wrapped without device ids.

mmengine's ``init_dist`` selects a CUDA device first, and its wrapper passes one on;
both are wrong on a CPU.
"""

import datetime
import os
import subprocess
from typing import Any

import torch.distributed as torch_dist

from mmdetxfer.errors import UserError

CPU_WRAPPER = {
    'type': 'MMDistributedDataParallel',
    'device_ids': None,
    'broadcast_buffers': False,
}


def join_cpu_ranks(launcher: str, dist_cfg: dict[str, Any]) -> None:
    """Start the process group over gloo, once.

    Args:
        launcher: 'pytorch' (torchrun) or 'slurm'.
        dist_cfg: The config's ``env_cfg.dist_cfg``: ``timeout`` in seconds and, for
            Slurm, ``port`` are used; the backend is gloo.
    """
    if torch_dist.is_initialized():
        return
    if launcher == 'slurm':
        _name_slurm_ranks(dist_cfg.get('port'))
    elif launcher != 'pytorch':
        raise UserError(
            "--launcher on a machine without a GPU: expected 'none', 'pytorch' or "
            f"'slurm', got {launcher!r}"
        )
    missing = [key for key in ('RANK', 'WORLD_SIZE') if key not in os.environ]
    if missing:
        raise UserError(
            f'--launcher {launcher}: {" and ".join(missing)} not set; start the ranks '
            'with tools/dist_train.sh, torchrun or srun'
        )
    timeout = datetime.timedelta(seconds=dist_cfg.get('timeout', 1800))
    torch_dist.init_process_group('gloo', timeout=timeout)


def _name_slurm_ranks(port: int | None) -> None:
    """Set what torch expects from what srun sets."""
    if 'SLURM_PROCID' not in os.environ:
        raise UserError('--launcher slurm: SLURM_PROCID is not set; start with srun')
    nodes = os.environ['SLURM_NODELIST']
    names = subprocess.run(
        ['scontrol', 'show', 'hostname', nodes], capture_output=True, text=True
    ).stdout.split()
    os.environ.setdefault('MASTER_ADDR', names[0] if names else nodes)
    os.environ.setdefault('MASTER_PORT', str(port or 29500))
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
    os.environ['RANK'] = os.environ['SLURM_PROCID']
    os.environ['LOCAL_RANK'] = os.environ.get('SLURM_LOCALID', '0')
