"""Writes what Snakemake reads: a rule for all cells, what each needs and asks for.

A rule's only declared output is the small ``done.json`` of its cell, since Snakemake
deletes declared outputs before a job; everything else lies beside it, undeclared.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdetxfer.study.cell import (
    Launch,
    forget_records,
    is_complete,
    write_failure,
)
from mmdetxfer.study.cells import Plan
from mmdetxfer.study.files import LOCK, SPEC
from mmdetxfer.study.locks import try_lock
from mmdetxfer.study.resolved import config_with
from mmdetxfer.text_files import write_text_atomically

_SNAKEFILE = """# Written by tools/study.py run; a cell a job.
import json

PLAN = json.load(open('plan.json'))
CELLS = PLAN['folder']


def needs(wildcards):
    keys = PLAN['cells'][wildcards.key]['needs']
    return [ancient(f'{CELLS}/{key}/done.json') for key in keys]


rule all:
    input:
        expand('{cells}/{key}/done.json', cells=CELLS, key=PLAN['cells']),


rule cell:
    wildcard_constraints:
        key='[0-9a-f]+',
    input:
        needs,
    output:
        CELLS + '/{key}/done.json',
    priority: lambda wildcards: PLAN['cells'][wildcards.key]['weight'],
    threads: PLAN['threads']
    resources:
        gpus=PLAN['gpus'],
        **PLAN['resources'],
    shell:
        PLAN['command'] + '/{wildcards.key}'
"""


@dataclass(frozen=True)
class Settings:
    """How a study is run.

    Args:
        executor: 'local', or 'slurm': a job of Slurm for each cell.
        launch: How the work of a cell is started.
        jobs: Cells at a time.
        all_gpus: GPUs of this machine together, for the local executor.
        extra: Arguments of Snakemake, such as those of its executor of Slurm.
    """

    executor: str = 'local'
    launch: Launch = Launch()
    jobs: int = 2
    all_gpus: int = 0
    extra: tuple[str, ...] = ()


def prepare(
    plan: Plan, study_dir: Path, settings: Settings, absent: Mapping[str, list[str]]
) -> None:
    """Write what Snakemake and the cells read.

    Args:
        plan: What is run.
        study_dir: Folder of the study.
        settings: How.
        absent: What is not there, by cell: these fail at once, and are not begun.
    """
    left_out = _left_out(plan, absent)
    weights = _weights(plan)
    for key, cell in plan.cells.items():
        folder = plan.folder(key)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(cell.spec, indent=1, default=str) + '\n'
        path = folder / SPEC
        if not path.is_file() or path.read_text() != text:
            write_text_atomically(path, text)
        if is_complete(folder):
            continue
        lock = try_lock(folder / LOCK)
        if lock is None:
            continue
        with lock:
            if is_complete(folder):
                continue
            # What was damaged is made again: Snakemake sees the mark alone.
            forget_records(folder)
            if key in absent:
                reason = f'expected {absent[key][0]}, it is not there'
                write_failure(folder, reason)
    launch = settings.launch
    command = [sys.executable, '-m', 'mmdetxfer.study.cell', *launch.arguments]
    # The last word, to which a rule adds the key.
    command.append(str(plan.machine.cells.resolve()))
    content = dict(
        folder=str(plan.machine.cells.resolve()),
        # What configs name is relative to where the study was started.
        command=f'cd {_quoted(os.getcwd())} && ' + ' '.join(map(_quoted, command)),
        threads=plan.study.threads,
        gpus=launch.gpus,
        resources=resources_of(settings, plan),
        cells={
            key: dict(needs=list(cell.needs), weight=weights[key])
            for key, cell in plan.cells.items()
            if key not in left_out
        },
    )
    study_dir.mkdir(parents=True, exist_ok=True)
    write_text_atomically(study_dir / 'plan.json', json.dumps(content, indent=1))
    write_text_atomically(study_dir / 'Snakefile', _SNAKEFILE)


def resources_of(settings: Settings, plan: Plan) -> dict[str, Any]:
    """Return what a job of Slurm asks for; on this machine nothing is asked for.

    Args:
        settings: How a study is run.
        plan: What is run.
    """
    launch = settings.launch
    if settings.executor != 'slurm':
        return {}
    # Snakemake itself would ask for 1 GB, which ends a training, and for no CPU but
    # those of the threads: the loaders would share them.
    ranks = max(launch.gpus, 1)
    # torchrun's ranks are in one task, srun's have one each.
    in_a_task = ranks if launch.launcher == 'pytorch' else 1
    found: dict[str, Any] = dict(
        mem_mb=16_000 * ranks,
        cpus_per_task=in_a_task * (plan.study.threads + _num_loaders(plan)),
    )
    if launch.gpus:
        found['gres'] = f'gpu:{launch.gpus}'
    if launch.launcher == 'slurm':
        found['tasks'] = ranks
    return found


def _num_loaders(plan: Plan) -> int:
    """Return how many loaders a rank has at most, at a time."""
    found = [0]
    for cell in plan.cells.values():
        cfg = config_with(cell.spec['config'], cell.spec['options'])
        for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            loaders = cfg.get(key) or {}
            for loader in loaders if isinstance(loaders, list) else [loaders]:
                found.append(loader.get('num_workers', 0))
    return max(found)


def _left_out(plan: Plan, absent: Mapping[str, list[str]]) -> set[str]:
    """Return the cells that cannot be made, and those that need them."""
    found: set[str] = set()
    for key, cell in plan.cells.items():
        is_blocked = key in absent or bool(found & set(cell.needs))
        if is_blocked and not is_complete(plan.folder(key)):
            found.add(key)
    return found


def _quoted(word: str) -> str:
    # Braces mean something to Snakemake.
    return shlex.quote(word).replace('{', '{{').replace('}', '}}')


def _weights(plan: Plan) -> dict[str, int]:
    """Return how many cells wait for each, the longest chain first."""
    found = dict.fromkeys(plan.cells, 0)
    for key in reversed(list(plan.cells)):
        for need in plan.cells[key].needs:
            found[need] = max(found[need], found[key] + 1)
    return found
