"""The figures of the paper that a study reproduces, beside the study's own.

They stand beside the target and share that they are of and no other, as parts of one as
our scores are. Where either side has none its place is empty.
"""

from collections.abc import Iterable

from mmdetxfer.study.published import (
    PublishedTable,
    as_fraction,
    published_tables,
)
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import Line, Published


def paper_table(
    results: Results, name: str, of: Compared | None = None
) -> PublishedTable | None:
    """Return a table of the paper that the study reproduces, if it has one.

    Args:
        results: Of the study.
        name: Such as 'table1'.
        of: The comparison whose columns alone are wanted.
    """
    table = published_tables().get(f'{results.study.paper}/{name}')
    if table is None or of is None:
        return table
    return table.of(of.target, of.share)


def published_line(table: PublishedTable, row: str, column: str) -> Line:
    """Return a published number as a part of one, an empty place where there is none.

    Args:
        table: A paper's table.
        row: Name of its row.
        column: Name of its column.
    """
    number = table.rows.get(row, {}).get(column)
    return (as_fraction(number),) if number else ('',)


def published_note(table: PublishedTable | None) -> Line:
    """Return what published numbers are of, nothing without any.

    Args:
        table: A paper's table.
    """
    if table is None:
        return ()
    words = f'Published: {table.source}, in {table.unit} there; {table.networks}.'
    return (' ', Published(f'{words} {table.note}'.strip(), table.source))


def rows_of(own: Iterable[str], table: PublishedTable | None) -> list[str]:
    """Return names of candidates, and those that only the paper has after them.

    Args:
        own: Of a comparison.
        table: A paper's table, whose rows are candidates.
    """
    return list(dict.fromkeys([*own, *(table.rows if table else ())]))
