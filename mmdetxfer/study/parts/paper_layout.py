"""Tables in the layout of the paper that a study reproduces, with ours beside."""

from collections.abc import Callable, Iterable

from mmdetxfer.study.parts.paper import published_line, published_note
from mmdetxfer.study.parts.part import difference_line, interval_note, with_interval
from mmdetxfer.study.published import PublishedTable
from mmdetxfer.study.report_check import labelled
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import Label, Line, Table, Text

Find = Callable[[str | None], Compared | None]


def layout_table(
    table: PublishedTable, find: Find, more: Iterable[str] = (), kind: str = 'means'
) -> list[Table]:
    """Return a paper's table with ours in its layout, none where none of ours is there.

    Args:
        table: The paper's.
        find: Takes the name of a target; returns what was compared there.
        more: Candidates that have rows though the paper has none of them.
        kind: 'means', or 'differences' to a baseline.
    """
    compared = {column: find(own.target) for column, own in table.columns.items()}
    head: list[Text] = [table.names]
    for column in table.columns:
        head += [(Label(column),), (Label(column), ' published')]
    lines, is_ours = [], False
    for row in dict.fromkeys([*table.rows, *more]):
        cells: list[Line] = [labelled(row)]
        for column in table.columns:
            ours = _our_line(table, row, column, compared[column], kind)
            is_ours |= ours != ('',)
            cells += [ours, published_line(table, row, column)]
        lines.append(tuple(cells))
    if not is_ours:
        return []
    one = next(one for one in compared.values() if one is not None)
    note = (*interval_note(one), *published_note(table))
    return [Table(labelled(table.title), tuple(head), tuple(lines), note)]


def _our_line(
    table: PublishedTable, row: str, column: str, one: Compared | None, kind: str
) -> Line:
    own = table.columns[column]
    name = own.ours.get(row, row)
    wanted = {'target': own.target, table.names: name, **own.wanted}
    rows = one.rows(kind, **wanted) if one else []
    if not rows:
        return ('',)
    return difference_line(rows[0]) if kind == 'differences' else with_interval(rows[0])


def transfers_to(results: Results, table: PublishedTable) -> Find:
    """Return what finds the transfers to a target at the share of a paper's table.

    Args:
        results: Of the study.
        table: The paper's.
    """

    def find(target: str | None) -> Compared | None:
        is_there = target in results.study.targets
        return results.transfers(target, table.share) if is_there else None

    return find
