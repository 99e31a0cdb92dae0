"""What lies in the folder of a cell; imports nothing heavy."""

import json
from pathlib import Path
from typing import Any

from mmdetxfer.errors import UserError

# What it is, who holds it, what it printed, why it failed, that it is done.
SPEC, LOCK, LOG = 'cell.json', 'lock', 'log.txt'
FAILED, DONE = 'failed.json', 'done.json'
# Seconds of attempts that did not end well; that the batch comes in parts.
SPENT, HALVED = 'spent.json', 'halved.json'
# The last checkpoint, and the setting that the trials chose.
TRAINED, CHOSEN = 'trained.json', 'chosen.json'
TRAINING = 'training'
PREDICTIONS = {
    'detection': 'predictions.npz',
    'segmentation': 'label_maps',
    'classification': 'predictions.npz',
}


def read_spec(folder: Path) -> dict[str, Any]:
    """Return what a cell is.

    Args:
        folder: Of the cell.
    """
    path = folder / SPEC
    if not path.is_file():
        raise UserError(f'{folder}: expected a cell of a study, there is no {SPEC}')
    return json.loads(path.read_text())


def trained_file(folder: Path) -> Path:
    """Return the last checkpoint of a cell that has trained.

    Args:
        folder: Of the cell.
    """
    path = folder / TRAINED
    if not path.is_file():
        raise UserError(
            f'{folder}: expected a finished training, there is none; run the study '
            'again'
        )
    return folder / TRAINING / json.loads(path.read_text())['checkpoint']
