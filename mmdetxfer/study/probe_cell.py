"""Probes of a study: of one candidate and seed in a cell, and of all together."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmdetxfer.errors import UserError
from mmdetxfer.feature_files import read_manifest
from mmdetxfer.probe_plan import ProbePlan, plan_of
from mmdetxfer.probing import PARTS, Place, extract, fitted, kept_fits, places

# Cells do not know what a study calls their candidate.
_ITSELF = 'itself'


def cell_plan(spec: Mapping[str, Any], checkpoint: str | None) -> ProbePlan:
    """Return what a cell probes.

    Args:
        spec: Of the cell.
        checkpoint: The weights; None draws them.
    """
    convention = (spec['begins'] or {}).get('input_convention')
    one = dict(config=spec['config'], checkpoint=checkpoint, seeds=[spec['seed']])
    one['input_convention'] = convention
    content = {**spec['probes'], 'candidates': {_ITSELF: one}, 'baseline': _ITSELF}
    return plan_of(content, f'probes of {spec["config"]}', _device(spec['device']))


def _device(device: str) -> str:
    return device if device != 'cuda' or torch.cuda.is_available() else 'cpu'


def probe_rows(
    folder: Path, spec: Mapping[str, Any], checkpoint: str | None, trusts: bool
) -> list[dict]:
    """Extract and fit what is missing; return the scores of all layers.

    Args:
        folder: Of the cell.
        spec: What it is.
        checkpoint: The weights; None draws them.
        trusts: Whether pickled code in checkpoints may run.
    """
    plan = cell_plan(spec, checkpoint)
    rows = []
    for place in places(plan):
        folders = extract(plan, place, folder, trusts)
        layers = read_manifest(folders['train']).layers
        if plan.main_layer not in layers:
            raise UserError(
                f'main_layer: expected one of the layers that {spec["config"]} has, '
                f'{", ".join(layers)}, got {plan.main_layer!r}'
            )
        for layer, own in fitted(plan, place, folders, folder, print).items():
            head = dict(kind='probe', target=place.target, layer=layer)
            value = float(np.mean(own['right']))
            rows.append(
                dict(**head, score='top-1', value=value, strength=own['strength'])
            )
            rows += [
                dict(**head, score=score, value=value)
                for score, value in own.get('transferability', {}).items()
            ]
    return rows


def compared_probes(
    probes: Mapping[str, Any],
    cells: Mapping[str, Mapping[int, Path]],
    configs: Mapping[str, str],
    baseline: str,
    resamples: int,
    say: Callable[[str], None],
) -> dict[str, list[dict]]:
    """Return the tables of all candidates' probes.

    Args:
        probes: What the study says of them.
        cells: Folders by candidate and seed.
        configs: Of the candidates' networks.
        baseline: The candidate that others are compared with.
        resamples: Of the images.
        say: Told what happens.
    """
    from mmdetxfer.evaluation.probe_tables import tables_of

    candidates = {
        name: dict(config=configs[name], seeds=list(own)) for name, own in cells.items()
    }
    content = {**probes, 'candidates': candidates, 'baseline': baseline}
    plan = plan_of(content, 'probes of the study', 'cpu')
    found, folders = {}, {}
    for place in places(plan):
        folder = cells[place.candidate][place.seed]
        inside = Place(place.target, _ITSELF, place.seed)
        own = {part: inside.below(folder / 'features') / part for part in PARTS}
        folders[place] = own
        found[place] = kept_fits(inside, own['train'], folder)
    return tables_of(plan, found, folders, resamples, say)
