"""The answer of a study in plain words, with its certainty; no claim from one seed."""

from collections.abc import Sequence

from mmdetxfer.study.parts.part import difference_line, key_of, with_interval
from mmdetxfer.study.report_check import labelled
from mmdetxfer.study.results import DECIDING, Compared, Results
from mmdetxfer.study.sections import Answer, Label, Line, Text

_WHAT = dict(
    detection='Detection with exact boxes',
    segmentation='Segmentation',
    classification='Classification',
)
_CLEARLY_CHEAPER = 0.9  # times the cost of the best, which is not worth a word above


def answers(results: Results) -> list[Answer]:
    """Return an answer for each target and share of its train set.

    Args:
        results: Of the study.
    """
    found = []
    for name, target in results.study.targets.items():
        for share in results.study.target_fractions:
            question = _question(results, name, share)
            compared = results.transfers(name, share)
            if compared is None:
                line = ('No candidate was transferred to it yet.',)
                if ('transfers', name, share) in results.problems:
                    line = ('Its predictions cannot be compared; see what failed.',)
                found.append(Answer(question, line, (), False, 'not measured'))
            else:
                found.append(_answer(question, target.task, compared, results))
    return found


def _question(results: Results, name: str, share: float) -> Text:
    target = results.study.targets[name]
    text = f'{_WHAT[target.task]}: {target.words or name}'
    if share != 1:
        text += f', with {share:.0%} of them'
    return labelled(text)


def _answer(question: Text, task: str, compared: Compared, results: Results) -> Answer:
    score = DECIDING[task]
    means = [
        row
        for row in compared.rows('means', score=score)
        if row.get('group', 'all') == 'all'
    ]
    means.sort(key=lambda row: -row['value'])
    best = [
        row
        for row in compared.rows('best', score=score)
        if row.get('group', 'all') == 'all'
    ]
    section = key_of(task, compared)
    if not means:
        line = (f'Nothing could be scored: {score} is not defined on this test set.',)
        return Answer(question, line, (), False, 'not measured', section)
    if not best and compared.is_of_one_seed:
        return _of_one_seed(question, score, means, compared, section)
    if not best:
        alone = next(name for name, own in compared.seeds.items() if len(own) > 1)
        (own,) = [row for row in means if row['candidate'] == alone]
        line = (
            f'Only {alone} is done with several seeds: ',
            Label(score),
            ' ',
            *with_interval(own),
            '. There is nothing to tell it from.',
        )
        return Answer(
            question, line, _certainty(compared), False, 'not measured', section
        )
    told_apart = best[0]['candidates']
    # The best of all may have a single seed: nothing is said of it.
    top = next(row for row in means if row['candidate'] == told_apart[0])
    line: list = []
    number = with_interval(top)
    # One with a single seed is not compared.
    not_compared = best[0]['not_compared']
    if len(told_apart) + len(not_compared) == len(compared.seeds):
        of_whom = ' of those with several seeds' if not_compared else ''
        line = [
            'No difference could be shown between the candidates. The highest ',
            Label(score),
            f'{of_whom} is that of {top["candidate"]}: ',
            *number,
            '.',
        ]
        certainty = _certainty(compared)
        return Answer(question, tuple(line), certainty, False, 'no difference', section)
    line = [f'Start from {told_apart[0]}: ', Label(score), ' ', *number, '.']
    others = told_apart[1:]
    if others:
        worse = [
            name
            for name in compared.seeds
            if name not in told_apart and name not in not_compared
        ]
        line.append(
            f' {_listed(others)} cannot be told from it; shown to be worse: '
            f'{", ".join(worse)}.'
        )
        costs = [results.cost_of(compared, name) for name in told_apart]
        if None not in costs and min(costs) < _CLEARLY_CHEAPER * costs[0]:
            cheapest = told_apart[costs.index(min(costs))]
            line.append(f' The cheapest of these to train is {cheapest}.')
    less = compared.rows('differences', candidate=told_apart[0], score=score)
    less = [row for row in less if row.get('group', 'all') == 'all']
    if less:
        line += [f' Over {compared.baseline}: ', *difference_line(less[0]), '.']
    return Answer(question, tuple(line), _certainty(compared), True, section=section)


def _listed(names: Sequence[str]) -> str:
    """Return names in a sentence: a, b and c."""
    *first, last = names
    return f'{", ".join(first)} and {last}' if first else last


def _of_one_seed(
    question: Text, score: str, means: list[dict], compared: Compared, section: str
) -> Answer:
    line: list = ['Highest ', Label(score), ' here: ']
    for row in means:
        line += [f'{row["candidate"]} ', *with_interval(row), ', ']
    line[-1] = '.'
    certainty = (
        'In brackets ',
        Label('95 %'),
        ' intervals over test images; training noise is unknown, so that another seed '
        'may give another order.',
    )
    return Answer(question, tuple(line), certainty, False, 'one seed', section)


def _certainty(compared: Compared) -> Line:
    seeds = sorted({len(own) for own in compared.seeds.values()})
    shown = str(seeds[0]) if len(seeds) == 1 else f'{seeds[0]} to {seeds[-1]}'
    line: Line = (
        'With ',
        Label('95 %'),
        ' intervals over ',
        Label(shown),
        ' seeds and the test images, for all candidates at once.',
    )
    if compared.missing:
        names = ', '.join(compared.missing)
        line += (f' Not done, or not with all seeds: {names}.',)
    return line
