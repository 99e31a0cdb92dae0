"""Transfer to segmentation: mIoU, and whether it differs at borders or within."""

from mmdetxfer.study.comparisons import BANDS, named_width
from mmdetxfer.study.parts.paper import paper_table
from mmdetxfer.study.parts.part import (
    cases,
    interval_note,
    key_of,
    means_table,
    of_whom,
    pictures,
    title_of,
    transfers,
    with_interval,
)
from mmdetxfer.study.results import Compared, Results
from mmdetxfer.study.sections import Label, Section, Table


class SegmentationPart:
    """Table 4 and Figure 2 of Li et al. 2019."""

    name = 'segmentation'
    tasks = ('segmentation',)
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return a section for each target and share."""
        return [self._section(results, one) for one in transfers(results, self.tasks)]

    def _section(self, results: Results, one: Compared) -> Section:
        published = paper_table(results, 'table4', one)
        width = named_width(results.study.targets[one.target])
        blocks = [
            of_whom(one),
            means_table(one, 'mIoU', ('mIoU', 'boundary mIoU'), published),
            _reductions(one, width),
            *pictures(
                one,
                {BANDS: 'Scores within and beyond a distance from the borders.'},
            ),
            *cases(one),
        ]
        heading = title_of('Segmentation', one, results)
        return Section(heading, tuple(blocks), key_of(self.name, one))


def _reductions(one: Compared, width: float) -> Table:
    """Return which share of the baseline's errors a candidate has not."""
    keys = {
        'ln error inside': ('within ', Label(f'{width:g}'), ' pixels'),
        'ln error outside': ('beyond ', Label(f'{width:g}'), ' pixels'),
    }
    lines = []
    for name in one.seeds:
        if name == one.baseline:
            continue
        cells = [(name,)]
        for key in keys:
            found = one.rows('error_reductions', candidate=name, score=key)
            shown = dict(digits=0, factor=100.0, is_signed=True)
            line = with_interval(found[0], 'reduction', **shown) if found else ('–',)
            cells.append(line)
        lines.append(tuple(cells))
    title = f'Fewer errors than {one.baseline}, in per cent of its own'
    head = ('candidate', *keys.values())
    return Table(title, head, tuple(lines), interval_note(one))
