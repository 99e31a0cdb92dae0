"""Whether every number of a written report can be followed to where it comes from.

A number is a word without letters that has a digit: '0.5', '-3', '10%', '2019'; one
that begins with a decimal number, or ends with a usual unit, may have letters too:
'2.5-fold', '12GB'. What stands beside a sign such as = or / is a word of its own. Words
with other letters are names ('AP50', 'Conv5', 'Caltech-256', '1x1', 'ResNet-18'), and
so are counts with a cross between them ('8×8'). A number may stand

- in ``<data>``: then it is what its record says, in the stated digits;
- in an element of the class published, with its source as title;
- in one of the class version or axis: names, settings and versions.

Everything else is reported. Attributes, the head, styles and scripts are not text.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser

from mmdetxfer.study.report_text import DASH, MINUS, NARROW_SPACE, field_of
from mmdetxfer.study.sections import Label, Line

_EXEMPT = {'published', 'version', 'axis'}
_UNSEEN = {'head', 'script', 'style', 'template'}
_VOID = {'br', 'col', 'hr', 'img', 'input', 'link', 'meta', 'source', 'wbr'}
_UNIT = r'(?:%|‰|x|×|ms|s|h|min|px|[KMGT]i?B|[kKMGTP])'
_BETWEEN = r'[\s/=:<>≤≥≈~±]+'
_MARKS = r'()[]{}"\'“”‘’«»,;:.!?*|·…'
_NAME = re.compile(r'\d+×\d+(×\d+)*')
_EXPONENT = re.compile(r'(?<=\d)[eE][+\-−]?\d+')
_WITH_UNIT = re.compile(rf'[^\w]*\d[\d.,]*{_UNIT}|[^\w]*\d+[.,]\d+.*')


def unresolved_numbers(html: str, records: Mapping[str, dict]) -> list[str]:
    """Return what in a report's visible numbers cannot be followed to its origin.

    Args:
        html: The report.
        records: Records by their ids.

    Returns:
        A sentence for each such number, in the order of the page; none if all is well.
    """
    reader = _Reader(records)
    reader.feed(html)
    reader.close()
    reader.problems += [f'<{one.tag}> is never closed' for one in reader.stack]
    return reader.problems


def numbers_in(text: str) -> list[str]:
    """Return the words of a text that are numbers."""
    words = (word.strip(_MARKS) for word in re.split(_BETWEEN, text))
    return [word for word in words if _is_number(word)]


def labelled(text: str) -> Line:
    """Return a text whose numbers are labels: names and settings, not measures.

    Args:
        text: Such as what a user says of a target.
    """
    line: list = []
    for word in re.split(rf'({_BETWEEN})', text):
        if _is_number(word.strip(_MARKS)):
            line.append(Label(word))
        elif line and isinstance(line[-1], str):
            line[-1] += word
        elif word:
            line.append(word)
    return tuple(line)


def _is_number(word: str) -> bool:
    if not re.search(r'\d', word) or _NAME.fullmatch(word):
        return False
    if _WITH_UNIT.fullmatch(word):
        return True
    return not re.search(r'[^\W\d]', _EXPONENT.sub('', word))


class _Element:
    def __init__(self, tag: str, attributes: dict, is_exempt: bool) -> None:
        self.tag = tag
        self.attributes = attributes
        self.is_exempt = is_exempt
        self.text = ''


class _Reader(HTMLParser):
    """Walks through a page with the elements that are open."""

    def __init__(self, records: Mapping[str, dict]) -> None:
        super().__init__(convert_charrefs=True)
        self.records = records
        self.stack: list[_Element] = []
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag in _VOID:
            return
        attributes = {key: value or '' for key, value in attrs}
        classes = set(attributes.get('class', '').split())
        # Numbers of <data> are checked by themselves.
        own = tag in _UNSEEN | {'data'} or bool(classes & _EXEMPT)
        is_exempt = own or bool(self.stack and self.stack[-1].is_exempt)
        self.stack.append(_Element(tag, attributes, is_exempt))

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        # To a browser the slash says nothing: <span/> stays open.
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1].is_exempt:
            for element in self.stack:
                element.text += data
        else:
            self.problems += [
                f'{number!r} in {" ".join(data.split())!r} names no record'
                for number in numbers_in(data)
            ]

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack[-1].tag != tag:
            self.problems.append(f'</{tag}> closes nothing that was opened')
            return
        element = self.stack.pop()
        if tag == 'data':
            self.problems += _problems_of_data(element, self.records)
        is_published = 'published' in element.attributes.get('class', '').split()
        if is_published and not element.attributes.get('title', '').strip():
            self.problems.append(f'published {element.text!r} has no source')


def _problems_of_data(element: _Element, records: Mapping[str, dict]) -> list[str]:
    attributes = element.attributes
    name = attributes.get('data-record', '')
    field = attributes.get('data-field', '')
    where = f'{element.text!r} ({field!r} of {name!r})'
    if name not in records:
        return [f'{where}: there is no such record']
    try:
        value = field_of(records[name], field)
    except KeyError:
        return [f'{where}: the record has no such field']
    said = attributes.get('value', '')
    if value is None or isinstance(value, float) and not math.isfinite(value):
        is_said = said == '' and element.text == DASH
        return [] if is_said else [f'{where}: it is undefined in the record']
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [f'{where}: the record has no number there but {value!r}']
    try:
        is_same = said != '' and float(said) == float(value)
    except ValueError:
        is_same = False
    if not is_same:
        return [f'{where}: the record has {value!r}, not {said!r}']
    fault = _fault_of_shown(element.text, value, attributes)
    return [f'{where}: {fault}'] if fault else []


def _fault_of_shown(text: str, value: float, attributes: dict) -> str:
    """Return what is wrong with a shown number, by decimal arithmetic, or nothing."""
    try:
        factor = Decimal(attributes.get('data-factor', '1'))
        digits = int(attributes.get('data-digits', ''))
        number = Decimal(text.replace(MINUS, '-').replace(NARROW_SPACE, ''))
    except (InvalidOperation, ValueError):
        return 'what is shown, its digits or its factor is no number'
    if -number.as_tuple().exponent != digits:
        return f'{digits} digits after the point were stated'
    true = Decimal(repr(float(value))) * factor
    if abs(number - true) > Decimal(5).scaleb(-digits - 1) * Decimal('1.000001'):
        return f'{value!r} times {factor} is {true}'
    return ''
