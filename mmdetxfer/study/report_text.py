"""How the pieces of a report are shown: numbers, names, and lines without markup.

A number is its value times its factor in the stated digits, rounded half to even as
Python does; with a true minus sign; from 10,000 on in groups of three digits, parted by
a narrow space. What is undefined (None, or no finite number) is a dash.
"""

import math
import re
import unicodedata

from mmdetxfer.study.sections import Label, Line, Measured, Piece, Published, Text
from mmdetxfer.study.sections import as_line as as_line

DASH = '–'
MINUS = '−'
NARROW_SPACE = '\u202f'


def is_defined(number: Measured) -> bool:
    """Whether there is a value to show."""
    return number.value is not None and math.isfinite(number.value)


def shown(number: Measured) -> str:
    """Return a measured number as a reader sees it."""
    if not is_defined(number):
        return DASH
    value = number.value * number.factor
    grouping = ',' if abs(value) >= 10_000 else ''
    sign = '+' if number.is_signed else ''
    text = f'{value:{sign}{grouping}.{number.digits}f}'
    return text.replace('-', MINUS).replace(',', NARROW_SPACE)


def exact(number: Measured) -> str:
    """Return the value itself, so that reading it gives the same number again."""
    if not is_defined(number):
        return ''
    return repr(number.value if isinstance(number.value, int) else float(number.value))


def plain(text: Text) -> str:
    """Return a text without any markup."""
    return ''.join(_plain_piece(piece) for piece in as_line(text))


def _plain_piece(piece: Piece) -> str:
    if isinstance(piece, str):
        return piece
    return shown(piece) if isinstance(piece, Measured) else piece.text


def cell_text(line: Line) -> str:
    """Return what stands in a place of a CSV table.

    A number alone has twelve significant digits and an ASCII sign, and is empty where
    undefined.
    """
    match line:
        case (Measured() as number,):
            if not is_defined(number):
                return ''
            return f'{number.value * number.factor:.12g}'
    return plain(line).replace(MINUS, '-').replace(NARROW_SPACE, '')


def sort_key(line: Line) -> str:
    """Return the number that a place of a table begins with, or nothing."""
    match line:
        case (Measured() as number, *_):
            return (
                repr(float(number.value * number.factor)) if is_defined(number) else ''
            )
        case (Published() as piece, *_) | (Label() as piece,):
            found = re.match(r'[+-]?\d+(\.\d+)?', piece.text.replace(MINUS, '-'))
            return found[0] if found else ''
    return ''


def number_columns(rows: tuple[tuple[Line, ...], ...]) -> list[bool]:
    """Return which columns hold numbers alone: each place begins with one or is empty.

    The first column names the rows.
    """
    columns = list(zip(*rows, strict=True))
    return [
        place > 0
        and any(map(plain, column))
        and all(
            isinstance(line[0], Measured | Published) or line[0] in ('', DASH)
            for line in column
            if line
        )
        for place, column in enumerate(columns)
    ]


def slug(text: Text) -> str:
    """Return a file name of small letters, digits and hyphens for a title."""
    ascii_text = unicodedata.normalize('NFKD', plain(text)).encode('ascii', 'ignore')
    words = re.findall(r'[a-z0-9]+', ascii_text.decode().lower())
    return '-'.join(words)[:60].strip('-') or 'table'


def field_of(record: dict, field: str) -> object:
    """Return what a record has under a name with dots.

    Args:
        record: Dicts and lists within each other.
        field: A key; what comes after a dot leads into the dict, or into the list by
            place. A key may have dots itself.

    Raises:
        KeyError: There is none.
    """
    if field in record:
        return record[field]
    for dot in re.finditer(r'\.', field):
        inner = record.get(field[: dot.start()])
        if isinstance(inner, list):
            inner = {str(place): value for place, value in enumerate(inner)}
        if isinstance(inner, dict):
            try:
                return field_of(inner, field[dot.end() :])
            except KeyError:
                continue
    raise KeyError(field)
