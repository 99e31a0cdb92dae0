"""What a cell was made of, for its records: weights, receipt, cost, code."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmdetxfer.checkpoints.reading import read_checkpoint
from mmdetxfer.checkpoints.receipt import joint_hash, tensor_hash
from mmdetxfer.engine.cost_hook import COST
from mmdetxfer.engine.transfer_hook import RECEIPT
from mmdetxfer.study.files import CHOSEN, TRAINED, TRAINING


def provenance(folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a training that has ended was made of.

    Args:
        folder: Of the cell.
        spec: What it is.
    """
    training = folder / TRAINING
    trained = json.loads((folder / TRAINED).read_text())
    head = dict(
        weights_sha256=trained['weights_sha256'],
        begins_with=spec['begins'],
        data=spec['data'],
        cost=_json(training / COST),
        receipt=_short_receipt(_json(training / RECEIPT)),
    )
    chosen = _json(folder / CHOSEN)
    return {**head, **({'chosen': chosen} if chosen else {})}


def weights_hash(path: Path) -> str:
    """Return a hash of the tensors of a checkpoint.

    Its file has times in it, and is another one whenever it is made again.

    Args:
        path: Of the checkpoint.
    """
    state = read_checkpoint(str(path))
    state = state.get('state_dict', state)
    return joint_hash(
        {
            name: tensor_hash(value)
            for name, value in state.items()
            if isinstance(value, Tensor)
        }
    )


def commit() -> str:
    """Return the commit of the code, if it is a repository's."""
    done = subprocess.run(
        ['git', 'rev-parse', 'HEAD'],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or 'unknown'


def _json(path: Path) -> Any:
    return json.loads(path.read_text()) if path.is_file() else None


def _short_receipt(receipt: Mapping | None) -> dict | None:
    """Return what of a receipt a record needs; the file has every part."""
    if receipt is None:
        return None
    keys = ('loaded_share_of_kept', 'placed_share_of_file', 'input_convention')
    return {key: receipt[key] for key in keys if key in receipt}
