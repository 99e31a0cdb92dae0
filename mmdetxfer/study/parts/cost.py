"""Score against cost: what a pre-training costs in multiply-adds, and what it gives."""

from mmdetxfer.study.parts.part import transfers
from mmdetxfer.study.reading import TASKS
from mmdetxfer.study.report_check import labelled
from mmdetxfer.study.results import DECIDING, Compared, Results
from mmdetxfer.study.sections import Block, Figure, Label, Measured, Section, Table


class CostPart:
    """A table, and a figure for each target, with the front that no other beats."""

    name = 'cost'
    tasks = TASKS
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return one section for all targets."""
        costs = {row['candidate']: row for row in results.costs()}
        if not costs:
            return []
        compared = transfers(results, self.tasks)
        blocks: list[Block] = [_table(results, costs)]
        for one in compared:
            if one.share == max(results.study.target_fractions):
                blocks += _figure(results, one)
        return [Section('Score against cost', tuple(blocks), self.name)]


def _table(results: Results, costs: dict[str, dict]) -> Table:
    lines = []
    for name, candidate in results.study.candidates.items():
        row = costs.get(name)
        cells = [(name,), labelled(candidate.words)]
        if row is None:
            outside = candidate.as_configured
            outside |= any(stage.file for stage in candidate.stages)
            why = 'from outside: not known' if outside else 'not done'
            cells += [(why,), ('',)]
        else:
            seconds = row['volatile']['seconds']
            cells += [
                (Measured(row['id'], 'multiply_adds', row['multiply_adds'], 2, 1e-12),),
                (Measured(row['id'], 'volatile.seconds', seconds, 0),),
            ]
        lines.append(tuple(cells))
    note = (
        'Multiply-adds forward and backward, of one iteration times all; seconds as '
        'they were here, beside whatever else ran. Weights that a config of a '
        "pre-training itself begins with, such as a host's, are not among it.",
    )
    unseen = sorted({name for row in costs.values() for name in row['not_counted']})
    if unseen:
        note += (f' Not counted: {", ".join(unseen)}.',)
    head = ('candidate', 'what it is', 'million million multiply-adds', 'seconds')
    return Table('Cost of the pre-trainings', head, tuple(lines), note)


def _figure(results: Results, one: Compared) -> list[Figure]:
    from mmdetxfer.plots import CostPoint, draw_score_against_cost

    score = DECIDING[results.study.targets[one.target].task]
    points = []
    for name in one.seeds:
        rows = [
            row
            for row in one.rows('means', candidate=name, score=score)
            if row.get('group', 'all') == 'all'
        ]
        cost = results.cost_of(one, name)
        if rows and cost is not None:
            ends = (rows[0]['low'], rows[0]['high'])
            points.append(CostPoint(name, cost, rows[0]['value'], *ends))
    if len(points) < 2:
        return []
    stem = one.figures / 'score_against_cost'
    kind = 'test images alone' if one.is_of_one_seed else 'seeds and test images'
    draw_score_against_cost(points, stem, f'{score} on {one.target}', kind)
    caption = (
        Label(f'{score} on {one.target}'),
        ' against the cost of the pre-training and of this transfer (without trials); '
        'the line joins those that no cheaper one beats.',
    )
    alternative = f'{score} on {one.target} against multiply-adds'
    return [Figure(stem.with_suffix('.png'), caption, alternative)]
