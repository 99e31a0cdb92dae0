"""The report of a study: one HTML file that needs nothing else, Markdown, and tables.

Every measured number is ``<data value data-record data-field data-factor data-digits>``
(``report_check`` follows each to its record); what papers published is of the class
published with its source as title, names and settings with numbers are of the classes
axis and version.
"""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mmdetxfer.errors import UserError
from mmdetxfer.study import report_plain, report_text
from mmdetxfer.study.report_pictures import Picture, fitting_pictures
from mmdetxfer.study.sections import (
    Figure,
    Label,
    Measured,
    Paragraph,
    Published,
    Report,
    Table,
    Text,
)
from mmdetxfer.text_files import write_text_atomically

_TEMPLATES = Path(__file__).parent / 'templates'
# Anchors of the page itself.
_OWN_KEYS = {
    'search',
    'the-answers',
    'contents',
    'failures',
    'made-with',
    'numbers',
    'words',
}
_KEY = re.compile(r'[A-Za-z][A-Za-z0-9-]*')


def write_report(report: Report, out: Path) -> list[Path]:
    """Write ``report.html``, ``report.md``, ``records.csv`` and ``tables/*.csv``.

    Args:
        report: What it shows.
        out: A folder, made where there is none; tables of an earlier report in it are
            replaced, those that are no more are deleted.

    Returns:
        The files, the HTML first.

    Raises:
        ValueError: Keys of sections or rows of tables are not as they must be.
        UserError: A picture cannot be read, or the page would be too large.
    """
    _check(report)
    tables = report_plain.named_tables(report)
    texts = {
        'report.html': report_html(report),
        'report.md': report_plain.markdown(report, out),
        'records.csv': report_plain.records_csv(report.records),
    }
    for name, table in tables.values():
        texts[f'tables/{name}.csv'] = report_plain.table_csv(table)
    folder = out / 'tables'
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'{folder} cannot be made ({error.strerror})') from error
    for name, text in texts.items():
        write_text_atomically(out / name, text)
    for old in folder.glob('*.csv'):
        if f'tables/{old.name}' not in texts:
            old.unlink()
    return [out / name for name in texts]


def report_html(report: Report) -> str:
    """Return the page, with its pictures inside."""
    paths = [
        block.path
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Figure)
    ]
    bare = _rendered(report, {path: Picture('', b'', None) for path in paths})
    pictures = fitting_pictures(paths, len(bare.encode()))
    return _rendered(report, pictures)


def _rendered(report: Report, pictures: dict[Path, Picture]) -> str:
    names = report_plain.named_tables(report)
    states = {report_plain.state_of(answer) for answer in report.answers}
    return (
        _environment()
        .get_template('report.html')
        .render(
            report=report,
            pictures=pictures,
            csv_names={f'{key} {place}': one[0] for (key, place), one in names.items()},
            verdicts=report_plain.VERDICTS,
            states=[one for one in report_plain.VERDICTS if one in states],
            sources=_sources(report),
            nothing_failed=report_plain.NOTHING_FAILED,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kinds = (Measured, Published, Label, Paragraph, Table, Figure)
    for kind in kinds:
        environment.tests[kind.__name__.lower()] = lambda value, kind=kind: isinstance(
            value, kind
        )
    environment.filters['state'] = report_plain.state_of
    for function in (
        report_text.as_line,
        report_text.exact,
        report_text.is_defined,
        report_text.number_columns,
        report_text.plain,
        report_text.shown,
        report_text.sort_key,
    ):
        environment.filters[function.__name__] = function
    environment.globals['own_file'] = _own_file
    return environment


def _own_file(name: str) -> Markup:
    """Return a style sheet or script of this package, which is safe as it is."""
    return Markup((_TEMPLATES / name).read_text(encoding='utf-8'))


def _check(report: Report) -> None:
    keys = [section.key for section in report.sections]
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ValueError(
                f'the key of a section has letters, digits and hyphens, not {key!r}'
            )
        if key in _OWN_KEYS or keys.count(key) > 1:
            raise ValueError(f'the section key {key!r} is already taken')
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                _check_table(block)
    for answer in report.answers:
        state = report_plain.state_of(answer)
        if state not in report_plain.VERDICTS:
            known = ', '.join(report_plain.VERDICTS)
            raise ValueError(f'an answer lacks one of {known}, not {state!r}')
        if answer.section and answer.section not in keys:
            known = ', '.join(keys)
            raise ValueError(f'no section has the key {answer.section!r}, but {known}')


def _check_table(table: Table) -> None:
    for row in table.rows:
        if len(row) != len(table.head):
            raise ValueError(
                f'the table {report_text.plain(table.title)!r} has '
                f'{len(table.head)} columns, a row of it {len(row)} places'
            )


def _sources(report: Report) -> list[str]:
    """Return what published numbers of a report come from, in order."""
    lines: list[Text] = [answer.line for answer in report.answers]
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Paragraph):
                lines.append(block.line)
            if isinstance(block, Table):
                lines += [*block.head, *(line for row in block.rows for line in row)]
                lines.append(block.note)
    pieces = (piece for line in lines for piece in report_text.as_line(line))
    return list(
        dict.fromkeys(one.source for one in pieces if isinstance(one, Published))
    )
