"""Transfer to detection: mean AP over IoU, and whether it differs more at high IoU."""

from mmdetxfer.study.comparisons import IOU_CURVES
from mmdetxfer.study.parts.paper import paper_table
from mmdetxfer.study.parts.paper_layout import layout_table
from mmdetxfer.study.parts.part import (
    cases,
    difference_line,
    interval_note,
    key_of,
    means_table,
    of_whom,
    pictures,
    title_of,
    transfers,
)
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import Label, Paragraph, Section, Table

SCORES = ('AP50', 'AP70', 'AP90')
INTERACTIONS = ('AP70 - AP50', 'ln AP70 - ln AP50')


class DetectionPart:
    """Tables 1 and 2 and Figure 1 of Li et al. 2019, and what it gains on COCO."""

    name = 'detection'
    tasks = ('detection',)
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return a section for each target and share."""
        return [self._section(results, one) for one in transfers(results, self.tasks)]

    def _section(self, results: Results, one: Compared) -> Section:
        published = paper_table(results, 'table1', one)
        title = ('Mean AP at IoU ', Label('0.5, 0.7 and 0.9'))
        blocks = [
            of_whom(one),
            means_table(one, title, SCORES, published, group='all'),
            Paragraph(
                (
                    'More at high IoU? The gain at ',
                    Label('0.7'),
                    ' less the gain at ',
                    Label('0.5'),
                    '; the one of logarithms counts where the baseline finds less '
                    'than half, since absolute gains shrink with the score.',
                )
            ),
            _interactions(one),
            *pictures(one, {IOU_CURVES: 'Mean AP against the IoU that is asked for.'}),
        ]
        groups = [
            row['group'] for row in one.rows('group_scores') if row['group'] != 'all'
        ]
        for group in dict.fromkeys(groups):
            name = (f'Objects: {group}',)
            blocks.append(means_table(one, name, ('AP50', 'AP70'), group=group))
        for table, kind in (('table2', 'means'), ('coco-gain', 'differences')):
            published = paper_table(results, table, one)
            if published is not None:
                blocks += layout_table(published, lambda _: one, kind=kind)
        blocks += cases(one)
        heading = title_of('Detection', one, results)
        return Section(heading, tuple(blocks), key_of(self.name, one))


def _interactions(one: Compared) -> Table:
    names = list(one.seeds)
    rows = []
    for name in names:
        if name == one.baseline:
            continue
        cells = [(name,)]
        for score in INTERACTIONS:
            found = one.rows('differences', candidate=name, score=score, group='all')
            cells.append(difference_line(found[0]) if found else ('–',))
        rows.append(tuple(cells))
    head = ('candidate', *((Label(score),) for score in INTERACTIONS))
    title = f'Interaction with the IoU, less {one.baseline}'
    return Table(title, head, tuple(rows), interval_note(one))
