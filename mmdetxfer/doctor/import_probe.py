"""Imports what it is told to, in a process of its own, and says how that went.

A broken extension may raise anything, print anything or kill the process, so the set-up
and the doctor ask a child::

    python -P import_probe.py torch mmcv.ops cpu_ops

Each argument is a module's name or one of the probes below; each answer is a JSON line
with ``probe``, ``error`` (None if all is well) and ``facts``. A line with ``started``
comes first, so that a death can be put down to its probe. The exit code is 1 if any
probe failed. Standard library only at the top.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable


def torch_facts() -> dict:
    """Return what torch is and which GPUs it can use."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {
        'version': torch.__version__,
        'cuda': torch.version.cuda,
        'gpus': [torch.cuda.get_device_name(i) for i in range(count)],
        'capabilities': [
            '{}.{}'.format(*torch.cuda.get_device_capability(i)) for i in range(count)
        ],
    }


def ops_facts() -> dict:
    """Return for what mmcv's compiled ops were built."""
    from mmcv.ops import get_compiler_version, get_compiling_cuda_version

    return {'cuda': get_compiling_cuda_version(), 'compiler': get_compiler_version()}


def check_cuda_build() -> dict:
    """Refuse an mmcv whose ops were compiled for the CPU alone."""
    built_for = ops_facts()
    if built_for['cuda'] == 'not available':
        raise RuntimeError("mmcv's ops were compiled for the CPU alone")
    return built_for


def run_cpu_ops() -> dict:
    """Run mmcv's non-maximum suppression on the CPU."""
    return _run_nms('cpu')


def run_cuda_ops() -> dict:
    """Run mmcv's non-maximum suppression on every GPU: kinds may differ."""
    import torch

    for index in range(torch.cuda.device_count()):
        _run_nms(f'cuda:{index}')
    return {}


def _run_nms(device: str) -> dict:
    """Suppress one of two overlapping boxes, or raise."""
    import torch
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    kept = nms(boxes.to(device), scores.to(device), 0.5)[1].tolist()
    if kept != [0, 2]:
        raise RuntimeError(f'nms on {device} kept {kept}, expected [0, 2]')
    return {}


PROBES: dict[str, Callable[[], dict]] = {
    'torch_facts': torch_facts,
    'ops_facts': ops_facts,
    'cuda_build': check_cuda_build,
    'cpu_ops': run_cpu_ops,
    'cuda_ops': run_cuda_ops,
}


def probe(name: str) -> dict:
    """Run one probe or import one module; any failure becomes the answer's error."""
    try:
        if name in PROBES:
            facts = PROBES[name]()
        else:
            version = getattr(importlib.import_module(name), '__version__', None)
            facts = {'version': version if isinstance(version, str) else None}
    except BaseException as error:  # a module may call sys.exit while it is imported
        lines = str(error).strip().splitlines() or ['']
        message = f'{type(error).__name__}: {lines[0]}'
        return {'probe': name, 'error': message, 'facts': {}}
    return {'probe': name, 'error': None, 'facts': facts}


def main(names: list[str]) -> int:
    """Answer for each name; what imports print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    failed = False
    for name in names:
        print(json.dumps({'started': name}), file=answers, flush=True)
        answer = probe(name)
        failed = failed or answer['error'] is not None
        print(json.dumps(answer), file=answers, flush=True)
    return int(failed)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
