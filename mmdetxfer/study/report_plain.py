"""A report's tables as CSV and all of it as Markdown."""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from mmdetxfer.study.report_text import as_line, cell_text, plain, slug
from mmdetxfer.study.sections import (
    Answer,
    Figure,
    Line,
    Paragraph,
    Report,
    Table,
    Text,
)

VERDICTS = {
    'claim': 'Difference shown',
    'no difference': 'No difference could be shown',
    'one seed': 'One seed: no claim',
    'not measured': 'Not measured',
}
NOTHING_FAILED = 'Nothing failed.'


def state_of(answer: Answer) -> str:
    """Return how sure an answer is: a key of ``VERDICTS``."""
    return 'claim' if answer.is_claim else answer.lacking


def named_tables(report: Report) -> dict[tuple[str, int], tuple[str, Table]]:
    """Return the tables with names for their files, by section and place in it."""
    tables: dict[tuple[str, int], tuple[str, Table]] = {}
    taken: set[str] = set()
    for section in report.sections:
        for place, block in enumerate(section.blocks):
            if isinstance(block, Table):
                start = f'{section.key}-{slug(block.title)}'
                name, count = start, 1
                while name in taken:
                    count += 1
                    name = f'{start}-{count}'
                taken.add(name)
                tables[section.key, place] = (name, block)
    return tables


def table_csv(table: Table) -> str:
    """Return a table as CSV; numbers alone in full, not as they are shown."""
    rows = [[cell_text(line) for line in row] for row in table.rows]
    return _csv([[plain(one) for one in table.head], *rows])


def records_csv(records: Mapping[str, dict]) -> str:
    """Return all records as CSV, a line a record; what lies in dicts has dots."""
    flat = {name: dict(_flat(record)) for name, record in records.items()}
    heads = list(dict.fromkeys(key for record in flat.values() for key in record))
    rows = [[name, *(row.get(key, '') for key in heads)] for name, row in flat.items()]
    return _csv([['record', *heads], *rows])


def _flat(record: dict, start: str = '') -> Iterable[tuple[str, object]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{start}{key}.')
        else:
            text = json.dumps(value, ensure_ascii=False)
            yield f'{start}{key}', value if isinstance(value, str) else text


def _csv(rows: list[list]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator='\n').writerows(rows)
    return stream.getvalue()


def markdown(report: Report, folder: Path) -> str:
    """Return a report as Markdown, its pictures linked as seen from a folder."""
    parts = [f'# {_marked(report.question)}', f'Study: {_escaped(report.title)}']
    if plain(report.notice):
        parts.append(f'> {_marked(report.notice)}')
    parts.append('## The answers')
    for answer in report.answers:
        parts += [
            f'### {_marked(answer.question)}',
            _marked(answer.line),
            f'**{VERDICTS[state_of(answer)]}.** {_marked(answer.certainty)}',
        ]
    for section in report.sections:
        parts.append(f'## {_marked(section.title)}')
        parts += [_block(block, folder) for block in section.blocks]
    parts += ['## What failed', *(_failures(report) or [NOTHING_FAILED])]
    parts += ['## Commands', _fenced('\n'.join(report.commands))]
    rows = [((name,), (version,)) for name, version in report.versions.items()]
    parts += ['## Versions', _table(('of', 'version'), rows)]
    return '\n\n'.join(part for part in parts if part) + '\n'


def _failures(report: Report) -> list[str]:
    return [
        f'- **{_escaped(one.cell)}**: {_code(one.reason)} (log: {_code(one.log)})'
        + (f' {_escaped(one.consequence)}' if one.consequence else '')
        for one in report.failures
    ]


def _block(block: Paragraph | Table | Figure, folder: Path) -> str:
    if isinstance(block, Paragraph):
        return _marked(block.line)
    if isinstance(block, Figure):
        address = quote(os.path.relpath(block.path, folder))
        words = _escaped(block.alternative)
        return f'![{words}]({address})\n\n*{_marked(block.caption)}*'
    text = f'**{_marked(block.title)}**\n\n{_table(block.head, block.rows)}'
    return f'{text}\n\n{_marked(block.note)}' if plain(block.note) else text


def _table(head: tuple[Text, ...], rows: Iterable[tuple[Line, ...]]) -> str:
    lines = [[_marked(one) for one in row] for row in (head, *rows)]
    lines.insert(1, ['---'] * len(head))
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _marked(text: Text) -> str:
    return _escaped(plain(as_line(text)))


def _escaped(text: str) -> str:
    """Return a text in one line whose signs mean nothing to Markdown or HTML."""
    one_line = re.sub(r'[ \t\r\n]+', ' ', text)
    return re.sub(r'([\\`*_\[\]<>|#&~])', r'\\\1', one_line)


def _code(text: str) -> str:
    ticks = '`' * (1 + max(map(len, re.findall('`+', text)), default=0))
    words = ' '.join(text.split())
    return f'{ticks} {words} {ticks}' if '`' in words else f'{ticks}{words}{ticks}'


def _fenced(text: str) -> str:
    ticks = '`' * max(3, 1 + max(map(len, re.findall('`+', text)), default=0))
    return f'{ticks}\n{text}\n{ticks}' if text else ''
