"""Transfer to classification: fine-tuned candidates."""

from mmdetxfer.study.parts.part import (
    key_of,
    means_table,
    of_whom,
    title_of,
    transfers,
)
from mmdetxfer.study.results import Results
from mmdetxfer.study.sections import Section


class ClassificationPart:
    """Table 8 of Li et al. 2019, and a column of its Table 7."""

    name = 'classification'
    tasks = ('classification',)
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return a section for each target and share."""
        found = []
        for one in transfers(results, self.tasks):
            scores = ('top-1', 'mean per class')
            table = means_table(one, 'Fine-tuned', scores, group='all')
            heading = title_of('Classification', one, results)
            blocks = (of_whom(one), table)
            found.append(Section(heading, blocks, key_of(self.name, one)))
        return found
