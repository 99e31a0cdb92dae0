"""The paper's tables of probed and fine-tuned candidates, as Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmdetxfer.evaluation.probe_tables import LAYERS, PROBES, TUNED
from mmdetxfer.probe_plan import ProbePlan
from mmdetxfer.scoring.classification import TOP1


def layouts(plan: ProbePlan, tables: Mapping[str, Sequence[dict]]) -> str:
    """Return the paper's tables as Markdown: top-1 in per cent, mean, range of seeds.

    Args:
        plan: What was probed.
        tables: Records by table.
    """
    rows = [
        row
        for row in tables['scores']
        if row['score'] == TOP1 and row['group'] == 'all'
    ]
    parts = []
    for target in plan.targets:
        own = [r for r in rows if r['target'] == target and r['table'] == LAYERS]
        parts += _layer_layouts(plan, target, own)
    for table, title in (
        (PROBES, f'Probes of {plan.main_layer} (Table 6)'),
        (TUNED, 'Fine-tuned (Table 8, and the Caltech column of Table 7)'),
    ):
        own = [row for row in rows if row['table'] == table]
        if own:
            targets = list(dict.fromkeys(row['target'] for row in own))
            cells = {
                name: [_cell(own, candidate=name, target=target) for target in targets]
                for name in dict.fromkeys(row['candidate'] for row in own)
            }
            parts.append(f'### {title}\n\n{_markdown("candidate", targets, cells)}')
    return '\n'.join(parts)


def _layer_layouts(plan: ProbePlan, target: str, rows: Sequence[dict]) -> list[str]:
    found = []
    for name in plan.probed:
        keys = dict.fromkeys(row['layer'] for row in rows if row['candidate'] == name)
        poolings = list(dict.fromkeys(key.partition(' ')[2] or '-' for key in keys))
        layers = list(dict.fromkeys(key.partition(' ')[0] for key in keys))
        cells = {
            layer: [
                _cell(
                    rows,
                    candidate=name,
                    layer=layer if size == '-' else f'{layer} {size}',
                )
                for size in poolings
            ]
            for layer in layers
        }
        title = f'### Layers of {name} on {target} (Table 5)'
        found.append(f'{title}\n\n{_markdown("layer", poolings, cells)}')
    return found


def _cell(rows: Sequence[dict], **wanted: str) -> str:
    values = [
        100 * row['value']
        for row in rows
        if all(row[key] == value for key, value in wanted.items())
    ]
    if not values:
        return ''
    text = f'{np.mean(values):.1f}'
    if len(values) > 1:
        text += f' ({min(values):.1f} to {max(values):.1f})'
    return text


def _markdown(head: str, columns: Sequence[str], cells: Mapping[str, list[str]]) -> str:
    lines = [[head, *columns], ['---'] * (len(columns) + 1)]
    lines += [[name, *own] for name, own in cells.items()]
    return ''.join('| ' + ' | '.join(line) + ' |\n' for line in lines)
