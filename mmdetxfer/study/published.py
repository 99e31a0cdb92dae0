"""What papers published, each number with its source, out of ``data/published.json``.

The tables are those of Li et al. 2019 (arXiv 1904.05871) and of the repository that its
recipe comes from. Numbers stand as the source prints them; a place is empty where the
source has none.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmdetxfer.study.sections import Published

_FILE = Path(__file__).parent / 'data' / 'published.json'


@dataclass(frozen=True)
class PublishedTable:
    """A table of a paper.

    Args:
        title: What it shows, and the unit.
        source: Paper and table.
        columns: Names of its columns, without that of the names.
        rows: Numbers as they are printed, by name of the row and of the column.
    """

    title: str
    source: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Published]]


@functools.cache
def published_tables() -> Mapping[str, PublishedTable]:
    """Return all tables by name, such as 'li2019/table1', in the papers' order."""
    content = json.loads(_FILE.read_text(encoding='utf-8'))
    return {name: _table(**table) for name, table in content.items()}


def published_table(name: str) -> PublishedTable:
    """Return a table by name; ``ValueError`` lists those that exist."""
    tables = published_tables()
    _refuse_unknown('published table', name, tables)
    return tables[name]


def published(table: str, row: str, column: str) -> Published:
    """Return a number that a paper has.

    Args:
        table: As in ``published_tables``.
        row: Name of the candidate or layer.
        column: Name of the score or target.

    Raises:
        ValueError: There is none; those that exist are listed.
    """
    rows = published_table(table).rows
    _refuse_unknown(f'row of {table}', row, rows)
    _refuse_unknown(f'column of {table} for {row}', column, rows[row])
    return rows[row][column]


def _table(
    title: str, source: str, columns: list[str], rows: dict[str, list[str]]
) -> PublishedTable:
    numbers = {
        name: {
            column: Published(text, source)
            for column, text in zip(columns, texts, strict=True)
            if text
        }
        for name, texts in rows.items()
    }
    return PublishedTable(title, source, tuple(columns), numbers)


def _refuse_unknown(kind: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        raise ValueError(f'there is no {kind} {name!r}; there are: {"; ".join(names)}')
