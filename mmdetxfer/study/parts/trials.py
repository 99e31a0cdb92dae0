"""Which settings were tried, what each scored, and which was chosen."""

from mmdetxfer.study.cells import setting_words
from mmdetxfer.study.reading import tried
from mmdetxfer.study.report_check import labelled
from mmdetxfer.study.results import Results
from mmdetxfer.study.sections import Block, Label, Line, Measured, Section, Table


class TrialsPart:
    """The sensitivity to the settings, the same number of trials for all."""

    name = 'trials'
    tasks = ()
    needs_probes = False

    def sections(self, results: Results) -> list[Section]:
        """Return one section for all targets."""
        blocks: list[Block] = []
        for name in results.study.targets:
            for share in results.study.target_fractions:
                table = _table(results, name, share)
                if table is not None:
                    blocks.append(table)
        if not blocks:
            return []
        return [Section('Settings that were tried', tuple(blocks), self.name)]


def _table(results: Results, target: str, share: float) -> Table | None:
    study = results.study
    own = study.targets[target]
    lines = []
    for name in study.candidates:
        finals = results.done('final', target=target, share=share, candidate=name)
        if not finals:
            continue
        head = results.heads[finals[0].key]
        chosen = head.get('chosen')
        if chosen is None:
            setting = tried(study, name, own)[0]
            where = own.chosen_where
            note = f'not tried here; from {where}' if where else 'not tried'
            lines.append(((name,), labelled(setting_words(setting)), labelled(note)))
            continue
        line: list = []
        for place, one in enumerate(chosen['tried']):
            words = setting_words(one['options'])
            field = f'chosen.tried.{place}.score'
            line += [
                Label(words),
                ': ',
                Measured(head['id'], field, one['score']),
                '; ',
            ]
        best: Line = labelled(setting_words(chosen['chosen']))
        lines.append(((name,), best, tuple(line)))
    if not lines:
        return None
    title = [Label(target)]
    if share != 1:
        title += [', ', Label(f'{share:.0%}'), ' of its images']
    note = (
        'Tried with the first seed on a part of the train set and scored on the rest '
        'of it; then trained again on all.',
    )
    return Table(tuple(title), ('candidate', 'taken', 'tried'), tuple(lines), note)
