"""What the pre-trainings themselves score, on their own validation images."""

from mmdetxfer.study.results import Results
from mmdetxfer.study.sections import Label, Measured, Section, Table


class PretrainingPart:
    """The last validation of every stage."""

    name = 'pretraining'
    tasks = ()
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return one section for all stages."""
        lines = []
        seen = set()
        for use in results.done('pretrain'):
            if use.key in seen:
                continue
            seen.add(use.key)
            for row in results.rows[use.key]:
                if row['kind'] == 'validation':
                    lines.append(
                        (
                            (use.candidate,),
                            (Label(str(use.stage + 1)),),
                            (Label(str(use.seed)),),
                            (Label(row['score']),),
                            (Measured(row['id'], 'value', row['value']),),
                        )
                    )
        if not lines:
            return []
        head = ('candidate', 'stage', 'seed', 'score', 'value')
        title = 'Last validation of each stage, on the images of its own config'
        table = Table(title, head, tuple(lines))
        return [Section("The pre-trainings' own scores", (table,), self.name)]
