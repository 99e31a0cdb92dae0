"""What a study will cost: twenty iterations of each kind of training, and its network.

A training's cost is its start, and its iterations at the pace of those that were
measured, by one rank; several share those of an epoch. Tests and probes are not among
it, nor is what ranks tell each other.
"""

import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdetxfer.study.cells import PROBE, Plan
from mmdetxfer.study.environments import with_package, with_threads
from mmdetxfer.study.logs import reason_of
from mmdetxfer.study.states import state_of
from mmdetxfer.text_files import write_text_atomically

_FILE = 'measured.json'


@dataclass(frozen=True)
class Cost:
    """What a training costs.

    Args:
        seconds: All of it.
        megabytes: Of the checkpoints that it keeps at a time.
    """

    seconds: float
    megabytes: float


def _place(plan: Plan, key: str, folder: Path) -> Path:
    """Return where the measure of a cell lies: one for all of the same training."""
    cell = plan.cells[key]
    content = {
        k: cell.content[k] for k in ('config', 'threads', 'world_size', 'device')
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return folder / hashlib.sha256(text.encode()).hexdigest()[:16]


def known_costs(plan: Plan, folder: Path) -> dict[str, Cost]:
    """Return what was measured before, by key.

    Args:
        plan: The plan.
        folder: Of measures.
    """
    found = {}
    for key in plan.cells:
        path = _place(plan, key, folder) / _FILE
        if path.is_file():
            one = json.loads(path.read_text())
            ranks = (
                plan.cells[key].content['world_size'] if one.get('are_shared') else 1
            )
            iterations = math.ceil(one['iterations'] / ranks)
            seconds = one['start'] + one['seconds_per_iteration'] * iterations
            found[key] = Cost(seconds, one['megabytes'])
    return found


def measure(plan: Plan, folder: Path, say: Callable[[str], None]) -> Mapping[str, Cost]:
    """Measure the trainings that are not done, each kind once; return the costs.

    Args:
        plan: The plan.
        folder: Where measures are kept.
        say: Told what is measured, and what cannot be.
    """
    for key, cell in plan.cells.items():
        place = _place(plan, key, folder)
        if cell.kind == PROBE or (place / _FILE).is_file():
            continue
        if state_of(plan, key).state == 'done':
            continue
        say(f'measuring {plan.words(key)}')
        place.mkdir(parents=True, exist_ok=True)
        # Its weights may not be there yet, and make no difference to the time.
        spec = {**cell.spec, 'begins': None, 'choices': []}
        spec['options'] = {**spec['options'], 'load_from': None}
        write_text_atomically(place / 'cell.json', json.dumps(spec, default=str))
        command = [sys.executable, '-m', 'mmdetxfer.study.work', str(place)]
        environment = with_threads(with_package(os.environ), spec['threads'])
        if spec['device'] == 'cpu':
            environment['CUDA_VISIBLE_DEVICES'] = ''
        done = subprocess.run(
            [*command, '--measure'],
            capture_output=True,
            text=True,
            env=environment,
        )
        if not (place / _FILE).is_file():
            lines = (done.stdout + done.stderr).splitlines()
            say(f'  cannot be measured: {reason_of(lines, done.returncode)}')
    return known_costs(plan, folder)
