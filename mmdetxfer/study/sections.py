"""What a report is made of: sentences, tables and figures whose numbers name records.

A measured number is never text: it names the record and the field that it comes from,
so that every figure of a report can be followed to what was measured. What the papers
published stands apart, with its source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Measured:
    """A number out of a record.

    Args:
        record: The record's id.
        field: Where it stands there; a dot leads into a dict, and into a list by place.
        value: The number, None or nan where it is undefined.
        digits: Digits after the point.
        factor: What it is shown times, such as 100 for per cent.
        is_signed: Whether a plus is shown.
    """

    record: str
    field: str
    value: float | None
    digits: int = 3
    factor: float = 1.0
    is_signed: bool = False


@dataclass(frozen=True)
class Published:
    """A number that a paper has, not this package.

    Args:
        text: As the paper shows it.
        source: Paper and table.
    """

    text: str
    source: str


@dataclass(frozen=True)
class Label:
    """A name or setting with a number in it: a threshold, a version, a learning rate.

    Args:
        text: What is shown.
    """

    text: str


Piece = str | Measured | Published | Label
# A sentence, or what stands in one place of a table.
Line = tuple[Piece, ...]
# A name or sentence without numbers may be a bare string.
Text = str | Line


def as_line(text: Text) -> Line:
    """Return the pieces of a text."""
    return (text,) if isinstance(text, str) else text


@dataclass(frozen=True)
class Paragraph:
    """Sentences.

    Args:
        line: Their pieces, in order.
    """

    line: Line


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        title: What it shows.
        head: Names of its columns; the first names the rows.
        rows: Lines, one a column.
        note: What a reader must know.
    """

    title: Text
    head: tuple[Text, ...]
    rows: tuple[tuple[Line, ...], ...]
    note: Line = ()


@dataclass(frozen=True)
class Figure:
    """A figure or a picture, which the report takes in.

    Args:
        path: A PNG, JPEG or SVG file.
        caption: What it shows, and how to read it.
        alternative: The same in a few words, for those who do not see it.
    """

    path: Path
    caption: Text
    alternative: str


Block = Paragraph | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Args:
        title: Its heading.
        blocks: What stands in it, in order.
        key: Its anchor: letters, digits and hyphens.
    """

    title: Text
    blocks: tuple[Block, ...]
    key: str


@dataclass(frozen=True)
class Answer:
    """What a reader wants to know first.

    Args:
        question: For detection, for segmentation, for classification.
        line: The answer in plain words.
        certainty: How sure that is, in plain words.
        is_claim: Whether it is one: of one seed nothing is claimed, and where no
            difference could be shown nothing is.
        lacking: Why it is none, where it is none.
        section: Key of the section that says why, if there is one.
    """

    question: Text
    line: Line
    certainty: Line
    is_claim: bool
    lacking: Literal['no difference', 'one seed', 'not measured'] = 'no difference'
    section: str = ''


@dataclass(frozen=True)
class Failure:
    """A cell that failed.

    Args:
        cell: What it was, in words.
        reason: Its error, in one line.
        log: Where its log lies.
        consequence: What is therefore missing, if anything is.
    """

    cell: str
    reason: str
    log: str
    consequence: str = ''


@dataclass(frozen=True)
class Report:
    """All that a report shows.

    Args:
        title: Name of the study.
        question: What it asks, one sentence.
        answers: Shown first.
        sections: In order.
        failures: Cells that failed.
        records: Every record that a number names, by its id.
        commands: What made it, exactly.
        versions: Of packages and of the machine.
        notice: What a reader must know before the answers, if anything: that a run was
            a trial, or that it is not finished.
    """

    title: str
    question: Text
    answers: tuple[Answer, ...]
    sections: tuple[Section, ...]
    failures: tuple[Failure, ...] = ()
    records: Mapping[str, dict] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    notice: Text = ()
