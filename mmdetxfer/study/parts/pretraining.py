"""What the pre-trainings themselves score, on their own validation images."""

from mmdetxfer.study.parts.paper import (
    paper_table,
    published_line,
    published_note,
)
from mmdetxfer.study.results import Results
from mmdetxfer.study.sections import Label, Line, Measured, Section, Table


class PretrainingPart:
    """The last validation of every stage."""

    name = 'pretraining'
    tasks = ()
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return one section for all stages."""
        found: dict[tuple[str, int, str], list] = {}
        seen = set()
        for use in results.done('pretrain'):
            if use.key in seen:
                continue
            seen.add(use.key)
            for row in results.rows[use.key]:
                # How many classes the truth has is no score.
                if row['kind'] == 'validation' and 'num_classes' not in row['score']:
                    line = found.setdefault(
                        (use.candidate, use.stage, row['score']), []
                    )
                    line += [Measured(row['id'], 'value', row['value']), ' ']
        if not found:
            return []
        lines = tuple(
            ((candidate,), (Label(str(stage + 1)),), (Label(score),), tuple(line))
            for (candidate, stage, score), line in found.items()
        )
        head = ('candidate', 'stage', 'score', 'one number a seed')
        title = 'Last validation of each stage, on the images of its own config'
        tables = (Table(title, head, lines), *_paper_tables(results))
        return [Section("The pre-trainings' own scores", tables, self.name)]


def _paper_tables(results: Results) -> list[Table]:
    """Return the last stages beside what the paper says of its own, if any is there."""
    published = paper_table(results, 'pre-trainings')
    if published is None:
        return []
    lines, is_ours = [], False
    for name, numbers in published.rows.items():
        for column in numbers:
            score = published.columns[column].wanted['score']
            ours = _last_scores(results, name, score)
            is_ours |= bool(ours)
            beside = (published_line(published, name, column), (Label(column),))
            lines.append(((name,), (Label(score),), ours or ('',), *beside))
    head = ('candidate', 'score', 'one number a seed', 'published', 'published of')
    note = published_note(published)
    return [Table(published.title, head, tuple(lines), note)] if is_ours else []


def _last_scores(results: Results, candidate: str, score: str) -> Line:
    """Return a score of the last stage of a candidate, one number a seed."""
    if candidate not in results.study.candidates:
        return ()
    last = len(results.study.candidates[candidate].stages) - 1
    line: list = []
    for use in results.done('pretrain', candidate=candidate, stage=last):
        for row in results.rows[use.key]:
            if row['kind'] == 'validation' and row['score'] == score:
                line += [Measured(row['id'], 'value', row['value']), ' ']
    return tuple(line)
