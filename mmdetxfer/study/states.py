"""What is known of a cell: done, running, failed, or missing."""

import json
from dataclasses import dataclass

from mmdetxfer.study.cell import is_complete
from mmdetxfer.study.cells import Plan
from mmdetxfer.study.files import FAILED, LOG
from mmdetxfer.study.locks import running_in
from mmdetxfer.study.records import RECORDS, VOLATILE
from mmdetxfer.study.sections import Failure

STATES = ('done', 'running', 'failed', 'missing')


@dataclass(frozen=True)
class State:
    """What is known of a cell.

    Args:
        key: Of the cell.
        state: One of ``STATES``.
        seconds: What it took, when it is done.
    """

    key: str
    state: str
    seconds: float | None = None


def state_of(plan: Plan, key: str) -> State:
    """Return what is known of a cell.

    Args:
        plan: The plan.
        key: Of the cell.
    """
    folder = plan.folder(key)
    if is_complete(folder):
        with open(folder / RECORDS) as stream:
            head = json.loads(stream.readline())
        return State(key, 'done', head.get(VOLATILE, {}).get('seconds'))
    if running_in(folder) is not None:
        return State(key, 'running')
    return State(key, 'failed' if (folder / FAILED).is_file() else 'missing')


def failure_of(plan: Plan, key: str) -> Failure:
    """Return why a cell is not done.

    Args:
        plan: The plan.
        key: Of a cell that is not done.
    """
    folder = plan.folder(key)
    words, log = plan.words(key), str(folder / LOG)
    path = folder / FAILED
    if path.is_file():
        return Failure(words, json.loads(path.read_text())['reason'], log)
    failed = [
        need for need in plan.cells[key].needs if state_of(plan, need).state != 'done'
    ]
    if failed:
        needed = ', '.join(plan.words(one) for one in failed)
        return Failure(words, f'not begun: it needs {needed}', log)
    return Failure(words, 'it was not run, or was ended', log)
