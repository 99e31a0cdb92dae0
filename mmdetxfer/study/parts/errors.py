"""What detectors get wrong: kinds of errors, and what is missed by occlusion."""

from mmdetxfer.study.comparisons import ERRORS
from mmdetxfer.study.parts.paper import paper_table, published_note, rows_of
from mmdetxfer.study.parts.part import (
    difference_line,
    interval_note,
    key_of,
    pictures,
    title_of,
    transfers,
)
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import Label, Line, Measured, Section, Table, Text


class ErrorsPart:
    """Figure 8 and Table 3 of Li et al. 2019."""

    name = 'errors'
    tasks = ('detection',)
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return a section for each target and share."""
        found = []
        for one in transfers(results, self.tasks):
            blocks = [
                *_error_tables(one),
                *_missed_table(results, one),
                *pictures(one, {ERRORS: 'Errors by kind, less the baseline.'}),
            ]
            if blocks:
                heading = title_of('What is wrong', one, results)
                found.append(Section(heading, tuple(blocks), key_of(self.name, one)))
        return found


def _error_tables(one: Compared) -> list[Table]:
    rows = one.rows('error_differences')
    tables = []
    for measure in dict.fromkeys(row['measure'] for row in rows):
        own = [row for row in rows if row['measure'] == measure]
        kinds = list(dict.fromkeys(row['error'] for row in own))
        lines = []
        for name in dict.fromkeys(row['candidate'] for row in own):
            by_kind = {row['error']: row for row in own if row['candidate'] == name}
            lines.append(
                (
                    (name,),
                    *(
                        difference_line(by_kind[kind], digits=2)
                        if kind in by_kind
                        else ('–',)
                        for kind in kinds
                    ),
                )
            )
        title = (Label(measure), f', less {one.baseline}')
        head = ('candidate', *((Label(kind),) for kind in kinds))
        tables.append(Table(title, head, tuple(lines), interval_note(one)))
    return tables


def _missed_table(results: Results, one: Compared) -> list[Table]:
    rows = one.rows('missed')
    if not rows:
        return []
    levels = list(dict.fromkeys(row['occlusion'] for row in rows))
    published = paper_table(results, 'table3', one)
    head: list[Text] = ['candidate']
    for level in levels:
        head.append(f'occlusion {level}')
        if published:
            head.append(f'occlusion {level} published')
    lines = []
    for name in rows_of(one.seeds, published):
        cells: list[Line] = [(name,)]
        for level in levels:
            line: list = []
            for row in rows:
                if (row['candidate'], row['occlusion']) == (name, level):
                    line += [Measured(row['id'], 'mean', row['mean'], 1, 100), ' ']
            cells.append(tuple(line) or ('–' if name in one.seeds else '',))
            if published:
                # Both are in per cent here.
                number = published.rows.get(name, {}).get(level)
                cells.append((number,) if number else ('',))
        lines.append(tuple(cells))
    title = 'Missed objects in per cent, mean of the classes, one number a seed'
    return [Table(title, tuple(head), tuple(lines), published_note(published))]
