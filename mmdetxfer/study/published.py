"""What papers published, each number with its source, out of ``data/published.json``.

The tables are those of Li et al. 2019 (arXiv 1904.05871) and of the repository that its
recipe comes from. Numbers stand as the source prints them; a place is empty where the
source has none. Each column says which target and which of our records it belongs to,
in the names of ``configs/studies/li2019.py``: it stands beside no others.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from mmdetxfer.study.sections import Published

_FILE = Path(__file__).parent / 'data' / 'published.json'


@dataclass(frozen=True)
class Column:
    """Which of a study's records the numbers of a published column belong to.

    Args:
        target: Name of the target; None where they are of none.
        wanted: What the records have beside the name of the row.
        ours: Names of rows in a study, where they are others.
    """

    target: str | None = None
    wanted: Mapping[str, str] = field(default_factory=dict)
    ours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedTable:
    """A table of a paper.

    Args:
        title: What it shows.
        source: Paper and table.
        columns: By their names, without that of the names.
        rows: Numbers as they are printed, by name of the row and of the column.
        share: Of the targets' train sets.
        names: What its rows name, as our records call it.
        note: What a reader of this table must know.
        networks: What the numbers are of.
        unit: Of the numbers as they are printed.
    """

    title: str
    source: str
    columns: Mapping[str, Column]
    rows: Mapping[str, Mapping[str, Published]]
    share: float
    names: str = 'candidate'
    note: str = ''
    networks: str = ''
    unit: str = 'per cent'

    def of(self, target: str | None, share: float) -> 'PublishedTable | None':
        """Return its columns of a target and share, None if it has none.

        Args:
            target: Name of the target.
            share: Of its train set.
        """
        columns = {
            name: column
            for name, column in self.columns.items()
            if column.target == target and share == self.share
        }
        return replace(self, columns=columns) if columns else None


@functools.cache
def published_tables() -> Mapping[str, PublishedTable]:
    """Return all tables by name, such as 'li2019/table1', in the papers' order."""
    content = json.loads(_FILE.read_text(encoding='utf-8'))
    return {
        f'{paper}/{name}': _table(networks=own['networks'], unit=own['unit'], **table)
        for paper, own in content.items()
        for name, table in own['tables'].items()
    }


def as_fraction(number: Published) -> Published:
    """Return a number in per cent as a part of one, as our scores are.

    Args:
        number: As it is printed; its digits and a plus stay.
    """
    value = Decimal(number.text).scaleb(-2)
    text = f'{value:+f}' if number.text.startswith('+') else f'{value:f}'
    return replace(number, text=text)


def _table(
    source: str,
    columns: Mapping[str, Mapping],
    rows: Mapping[str, list[str]],
    **others: object,
) -> PublishedTable:
    numbers = {
        name: {
            column: Published(text, source)
            for column, text in zip(columns, texts, strict=True)
            if text
        }
        for name, texts in rows.items()
    }
    meanings = {name: Column(**column) for name, column in columns.items()}
    return PublishedTable(source=source, columns=meanings, rows=numbers, **others)
