"""Cheap rankings before any training, set against what fine-tuning gives."""

import numpy as np

from mmdetxfer.study.records import SCHEMA
from mmdetxfer.study.results import DECIDING, Compared, Results
from mmdetxfer.study.sections import Label, Line, Measured, Section, Table

SCORES = ('LogME', 'H-score', 'neighbours')


class TransferabilityPart:
    """LogME, H-score and neighbours of frozen features; rank correlation."""

    name = 'transferability'
    tasks = ('classification',)
    needs_probes = True

    def sections(self, results: Results) -> list[Section]:
        """Return one section for all probed targets."""
        one = results.probes()
        if one is None:
            return []
        tables = []
        for target in results.study.probes['targets']:
            rows = one.rows('transferability', target=target)
            if rows:
                tables.append(_table(results, one, target, rows))
        if not tables:
            return []
        return [Section('Rankings before any training', tuple(tables), self.name)]


def _table(results: Results, one: Compared, target: str, rows: list[dict]) -> Table:
    lines = []
    for name in one.seeds:
        cells: list[Line] = [(name,)]
        for score in SCORES:
            line: list = []
            for row in rows:
                if (row['candidate'], row['score']) == (name, score):
                    line += [Measured(row['id'], 'value', row['value']), ' ']
            cells.append(tuple(line) or ('–',))
        lines.append(tuple(cells))
    found = _correlations(results, one, target, rows)
    if found:
        values: list[Line] = [
            (Measured(row['id'], 'value', row['value'], 2, is_signed=True),)
            if (row := found.get(score))
            else ('–',)
            for score in SCORES
        ]
        lines.append((('rank correlation with fine-tuning',), *values))
    title = ('On ', Label(target), ', one number a seed')
    note = (
        'All are the larger the better; of fewer images than features there is no '
        'H-score. The correlation is over candidates (means over '
        'seeds); of a few candidates it says little.',
    )
    return Table(
        title, ('candidate', *((Label(s),) for s in SCORES)), tuple(lines), note
    )


def _correlations(
    results: Results, one: Compared, target: str, rows: list[dict]
) -> dict[str, dict]:
    """Return Spearman's rank correlations with the fine-tuned scores, as records."""
    from scipy.stats import spearmanr

    study = results.study
    if target not in study.targets:
        return {}
    tuned = results.transfers(target)
    if tuned is None:
        return {}
    score = DECIDING[study.targets[target].task]
    means = {
        row['candidate']: row['value']
        for row in tuned.rows('means', score=score)
        if row.get('group', 'all') == 'all'
    }
    names = [name for name in one.seeds if name in means]
    if len(names) < 3:
        return {}
    found = {}
    for place, kind in enumerate(SCORES):
        own: dict[str, list[float]] = {name: [] for name in names}
        for row in rows:
            if row['score'] == kind and row['candidate'] in own:
                own[row['candidate']].append(row['value'])
        if not all(own.values()):
            continue
        cheap = [np.mean(values) for values in own.values()]
        value = float(spearmanr(cheap, [means[name] for name in names]).statistic)
        # Where one of both is the same of all candidates there is none.
        if not np.isfinite(value):
            continue
        found[kind] = dict(
            schema=SCHEMA,
            id=f'{study.name}/probes/rank_correlation/{target}-{place}',
            kind='rank_correlation',
            part='transferability',
            target=target,
            score=kind,
            candidates=names,
            value=value,
        )
    kept = one.tables.setdefault('rank_correlation', [])
    known = {row['id'] for row in kept}
    kept += [row for row in found.values() if row['id'] not in known]
    return found
