"""What a part is, and how its numbers are shown."""

from collections.abc import Sequence
from typing import Protocol

from mmdetxfer.study.parts.paper import (
    published_line,
    published_note,
    rows_of,
)
from mmdetxfer.study.published import PublishedTable
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import (
    Figure,
    Label,
    Line,
    Measured,
    Paragraph,
    Section,
    Table,
    Text,
)


class Part(Protocol):
    """Something that a study can do.

    Args:
        name: As ``parts`` of a study names it.
        tasks: Of the targets whose transfers it needs.
        needs_probes: Whether it needs the probes.
    """

    name: str
    tasks: tuple[str, ...]
    needs_probes: bool

    def sections(self, results: Results) -> list[Section]:
        """Return its sections, none where nothing of it is there."""
        ...


def with_interval(row: dict, key: str = 'value', **shown: object) -> Line:
    """Return a number with its interval.

    Args:
        row: The record, with ``low`` and ``high``.
        key: Where the number stands.
        shown: As ``Measured`` takes it: digits, factor, is_signed.
    """
    ends = [_of(row, one, **shown) for one in (key, 'low', 'high')]
    return (ends[0], ' (', ends[1], ' to ', ends[2], ')')


def _of(row: dict, key: str, **shown: object) -> Measured:
    return Measured(row['id'], key, row[key], **shown)


def difference_line(row: dict, **shown: object) -> Line:
    """Return a difference with its interval, and what is not known of it.

    Args:
        row: A record of kind 'difference'.
        shown: As ``Measured`` takes it.
    """
    line = with_interval(row, 'difference', is_signed=True, **shown)
    seeds = row['variance_of_seeds']
    return line if seeds is not None and seeds == seeds else (*line, ' *')


def means_table(
    compared: Compared,
    title: Text,
    scores: Sequence[str],
    published: PublishedTable | None = None,
    **wanted: object,
) -> Table:
    """Return candidates by score: means over seeds, and differences to the baseline.

    Args:
        compared: What was compared.
        title: Of the table.
        scores: Names of scores.
        published: A paper's table of the same scores and of candidates of the same
            names; it is that of this target and share.
        wanted: What the records must have beside the score.
    """
    head: list[Text] = ['candidate']
    for score in scores:
        head += [(Label(score),), (Label(score), f' less {compared.baseline}')]
        if published is not None and score in published.columns:
            head.append((Label(score), ' published'))
    rows = []
    for name in rows_of(compared.seeds, published):
        cells: list[Line] = [(name,)]
        for score in scores:
            own = dict(candidate=name, score=score, **wanted)
            mean = _first(compared.rows('means', **own))
            less = _first(compared.rows('differences', **own))
            absent = '–' if name in compared.seeds else ''
            cells.append(with_interval(mean) if mean else (absent,))
            cells.append(difference_line(less) if less else (absent,))
            if published is not None and score in published.columns:
                cells.append(published_line(published, name, score))
        rows.append(tuple(cells))
    note = (*interval_note(compared), *published_note(published))
    return Table(title, tuple(head), tuple(rows), note)


def _first(rows: Sequence[dict]) -> dict | None:
    return rows[0] if rows else None


def interval_note(compared: Compared) -> Line:
    """Return what a reader must know of a table's intervals.

    Args:
        compared: What was compared.
    """
    if compared.is_of_one_seed:
        return (
            'In brackets: ',
            Label('95 %'),
            ' intervals over test images alone. * Training noise is unknown: another '
            'seed may give another order.',
        )
    return (
        'In brackets: ',
        Label('95 %'),
        ' intervals over seeds and test images; those of differences hold for all '
        'candidates of a score at once. * Of one seed: training noise is unknown.',
    )


def of_whom(compared: Compared) -> Paragraph:
    """Return whose seeds are compared, and who is missing.

    Args:
        compared: What was compared.
    """
    line: list = []
    for name, seeds in compared.seeds.items():
        plural = 's' * (len(seeds) > 1)
        line += [f'{name}: seed{plural} ', Label(', '.join(map(str, seeds))), '; ']
    if compared.missing:
        line.append(f'not done, or not with all seeds: {", ".join(compared.missing)}.')
    else:
        line[-1] = '.'
    return Paragraph(tuple(line))


def pictures(compared: Compared, captions: dict[str, Text]) -> list[Figure]:
    """Return figures that were drawn, those that are there.

    Args:
        compared: What was compared.
        captions: By the file's name without its ending.
    """
    found = []
    for stem, caption in captions.items():
        path = compared.figures / f'{stem}.png'
        if path.is_file():
            words = caption if isinstance(caption, str) else str(stem)
            found.append(Figure(path, caption, words))
    return found


def cases(compared: Compared) -> list[Figure]:
    """Return pictures of the images in which candidates differ most.

    Args:
        compared: What was compared.
    """
    found = []
    for path in sorted(compared.figures.glob('cases_*.png'))[:6]:
        what = path.stem.removeprefix('cases_').replace('_', ' ')
        caption = f'Where candidates differ most from {compared.baseline}: {what}.'
        found.append(Figure(path, caption, caption))
    return found


def title_of(words: str, compared: Compared, results: Results) -> Text:
    """Return the title of a target's section.

    Args:
        words: What the section shows.
        compared: What was compared.
        results: Of the study.
    """
    line: list = [f'{words}: ', Label(str(compared.target))]
    if compared.share != 1:
        line += [', ', Label(f'{compared.share:.0%}'), ' of its images to learn from']
    return tuple(line)


def key_of(part: str, compared: Compared) -> str:
    """Return the anchor of a target's section.

    Args:
        part: Name of the part.
        compared: What was compared.
    """
    share = '' if compared.share == 1 else f'-{round(1000 * compared.share)}'
    name = ''.join(c if c.isalnum() else '-' for c in str(compared.target))
    return f'{part}-{name}{share}'


def transfers(results: Results, tasks: Sequence[str]) -> list[Compared]:
    """Return the comparisons of all targets of some tasks, at every share.

    Args:
        results: Of the study.
        tasks: Which.
    """
    found = [
        results.transfers(name, share)
        for name, target in results.study.targets.items()
        if target.task in tasks
        for share in results.study.target_fractions
    ]
    return [one for one in found if one is not None]
