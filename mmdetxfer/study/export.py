"""The config and command to go on with, once a study has an answer."""

import copy
import json
from pathlib import Path

from mmdetxfer.errors import UserError
from mmdetxfer.study.cells import Plan
from mmdetxfer.study.files import CHOSEN, HALVED, trained_file
from mmdetxfer.study.resolved import config_with, half_batch
from mmdetxfer.study.states import state_of


def write_winner(plan: Plan, candidate: str, target: str, path: Path) -> str:
    """Write the resolved config of a candidate's transfer; return the command.

    Args:
        plan: The plan.
        candidate: The winner.
        target: The target.
        path: Of the config that is written.
    """
    share = max(plan.study.target_fractions)
    use = next(
        plan.used('final', candidate=candidate, target=target, share=share), None
    )
    if use is None:
        raise UserError(
            f'{target}: expected a target of the parts of the study, no part is of '
            'its task; take one out of the study, or add the part'
        )
    cell, folder = plan.cells[use.key], plan.folder(use.key)
    if state_of(plan, use.key).state != 'done':
        raise UserError(
            f'{plan.words(use.key)}: expected it done, it is '
            f'{state_of(plan, use.key).state}; run the study first'
        )
    options = dict(cell.spec['options'])
    if (folder / CHOSEN).is_file():
        options |= json.loads((folder / CHOSEN).read_text())['chosen']
    options['randomness.seed'] = cell.spec['seed']
    if (folder / HALVED).is_file():
        options |= half_batch(config_with(cell.spec['config'], options))
    begins = cell.spec['begins'] or {}
    if 'cell' in begins:
        options['load_from'] = str(trained_file(plan.folder(begins['cell'])))
    elif 'file' in begins:
        options['load_from'] = begins['file']
    if 'input_convention' in begins:
        options['input_convention'] = begins['input_convention']
    cfg = copy.deepcopy(config_with(cell.spec['config'], options))
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(str(path))
    ranks = cell.content['world_size']
    tool = 'python tools/train.py' if ranks == 1 else 'bash tools/dist_train.sh'
    words = f'{path}' if ranks == 1 else f'{path} {ranks}'
    return f'{tool} {words} --work-dir work_dirs/{path.stem} --resume'
