"""Transfer to classification: fine-tuned candidates."""

from mmdetxfer.study.parts.paper import paper_table
from mmdetxfer.study.parts.paper_layout import layout_table, transfers_to
from mmdetxfer.study.parts.part import (
    key_of,
    means_table,
    of_whom,
    title_of,
    transfers,
)
from mmdetxfer.study.results import Results
from mmdetxfer.study.sections import Section, Table


class ClassificationPart:
    """Tables 7 and 8 of Li et al. 2019."""

    name = 'classification'
    tasks = ('classification',)
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return a section for each target and share, and one in a paper's layout."""
        found = []
        for one in transfers(results, self.tasks):
            scores = ('top-1', 'mean per class')
            table = means_table(one, 'Fine-tuned', scores, group='all')
            heading = title_of('Classification', one, results)
            blocks = (of_whom(one), table)
            found.append(Section(heading, blocks, key_of(self.name, one)))
        tables = _paper_tables(results)
        if tables:
            title = 'Classification as the paper shows it'
            found.append(Section(title, tuple(tables), f'published-{self.name}'))
        return found


def _paper_tables(results: Results) -> list[Table]:
    """Return tables of several targets; of Table 7 some are of detection."""
    found = []
    for name, more in (('table7', ()), ('table8', results.study.candidates)):
        published = paper_table(results, name)
        if published is not None:
            find = transfers_to(results, published)
            found += layout_table(published, find, more)
    return found
