"""Makes the report of a study out of whatever is there, and checks its numbers."""

import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mmdetxfer import __version__
from mmdetxfer.json_lines import write_json_lines
from mmdetxfer.study.answers import answers
from mmdetxfer.study.budget import budget_lines, seconds_used
from mmdetxfer.study.cells import TRANSFER, Plan
from mmdetxfer.study.parts import parts_of
from mmdetxfer.study.report import write_report
from mmdetxfer.study.report_check import labelled, unresolved_numbers
from mmdetxfer.study.report_text import plain
from mmdetxfer.study.results import DECIDING, Results
from mmdetxfer.study.running import hold
from mmdetxfer.study.sections import (
    Failure,
    Label,
    Line,
    Measured,
    Paragraph,
    Report,
    Section,
    Table,
)
from mmdetxfer.study.states import failure_of
from mmdetxfer.study.versions import versions

RECORDS = 'records.jsonl'


def write_study_report(
    plan: Plan, folder: Path, command: str, say: Callable[[str], None]
) -> Path:
    """Write the report, its tables, and all records; return the HTML file.

    Args:
        plan: The plan.
        folder: Of the study.
        command: What made the study, exactly.
        say: Told what happens.
    """
    # Of a report that is made at the same time the other is the later.
    with hold(folder / 'report', waits=True):
        return _write(plan, folder, command, say)


def _write(plan: Plan, folder: Path, command: str, say: Callable[[str], None]) -> Path:
    begun = time.monotonic()
    results = Results(plan, folder, say)
    sections: list[Section] = []
    for part in parts_of(plan.study):
        with results.kept_going(('section', part.name)):
            sections += part.sections(results)
    sections += [*_not_planned(plan), *_provenance(results)]
    failures = failures_of(plan, results.not_done)
    failures += [
        Failure(f'report: {" ".join(map(str, key))}', reason, str(folder))
        for key, reason in results.problems.items()
    ]
    found = answers(results)
    records = results.records()
    report = Report(
        title=plan.study.name,
        question=labelled(plan.study.question),
        answers=tuple(found),
        sections=tuple(sections),
        failures=tuple(failures),
        records={row['id']: row for row in records},
        commands=(command,),
        versions={**_machine(), **versions()},
        notice=_notice(plan, len(results.not_done)),
    )
    out = folder / 'report'
    files = write_report(report, out)
    write_json_lines(folder / RECORDS, records)
    html = next(path for path in files if path.suffix == '.html')
    unresolved = unresolved_numbers(html.read_text(), report.records)
    if unresolved:
        # The report is there; a defect of ours is no reason to lose it.
        say(f'warning: numbers that name no record: {"; ".join(unresolved[:5])}')
    say_scores(results, say)
    say_answers(found, say)
    say_budget(results, time.monotonic() - begun, say)
    say(f'the report: {html}')
    return html


def say_scores(results: Results, say: Callable[[str], None]) -> None:
    """Tell the score that decides, for each target and candidate, with its interval.

    Args:
        results: Of the study.
        say: Told each.
    """
    for name, target in results.study.targets.items():
        for share in results.study.target_fractions:
            one = results.transfers(name, share)
            if one is None:
                continue
            score = DECIDING[target.task]
            of = '' if share == 1 else f' with {share:.0%} of its images'
            noise = '; training noise is unknown' if one.is_of_one_seed else ''
            say(f'{score} on {name}{of} (95 % interval{noise}):')
            for row in one.rows('means', score=score):
                if row.get('group', 'all') == 'all':
                    ends = f'{row["low"]:.3f} to {row["high"]:.3f}'
                    say(f'  {row["candidate"]:12} {row["value"]:.3f} ({ends})')


def say_budget(
    results: Results, report_seconds: float, say: Callable[[str], None]
) -> None:
    """Tell what was planned and what was used, by kind of work.

    Args:
        results: Of the study.
        report_seconds: What making the report took.
        say: Told each.
    """
    tasks = {
        key: cell.spec['task']
        for key, cell in results.plan.cells.items()
        if cell.kind == TRANSFER
    }
    used = seconds_used(results.heads.values(), tasks, report_seconds)
    for line in budget_lines(results.study.budget, used):
        say(line)


def say_answers(found: list, say: Callable[[str], None]) -> None:
    """Tell the answers as plain text.

    Args:
        found: The answers.
        say: Told each.
    """
    for one in found:
        say(f'{plain(one.question)}\n  {plain(one.line)} {plain(one.certainty)}')


def failures_of(plan: Plan, not_done: Sequence[str]) -> list[Failure]:
    """Return what failed by itself, each reason once, and what was not begun for it.

    Args:
        plan: The plan.
        not_done: Keys of the cells that are not done.
    """
    found: dict[str, list[Failure]] = {}
    waiting: dict[str, list[str]] = {}
    for key in not_done:
        own = failure_of(plan, key)
        causes = _causes(plan, key, not_done)
        for cause in causes - {key}:
            waiting.setdefault(failure_of(plan, cause).reason, []).append(own.cell)
        if causes == {key}:
            found.setdefault(own.reason, []).append(own)
    failures = []
    for reason, own in found.items():
        cells = '; '.join(one.cell for one in own)
        later = '; '.join(dict.fromkeys(waiting.get(reason, ())))
        consequence = f'Therefore not begun: {later}.' if later else ''
        failures.append(Failure(cells, reason, own[0].log, consequence))
    return failures


def _causes(plan: Plan, key: str, not_done: Sequence[str]) -> set[str]:
    """Return the cells that a cell waits for at last: itself, where for none."""
    needs = [need for need in plan.cells[key].needs if need in not_done]
    if not needs:
        return {key}
    return set().union(*(_causes(plan, need, not_done) for need in needs))


def _notice(plan: Plan, num_left: int) -> Line:
    line: Line = ()
    if num_left:
        done = len(plan.cells) - num_left
        line += (
            'Not finished: ',
            Label(f'{done} of {len(plan.cells)}'),
            ' cells are done. What failed or is missing is named below.',
        )
    if len(plan.study.seeds) == 1:
        line += (' One seed: this is a look at the candidates, and claims nothing.',)
    return line


def _not_planned(plan: Plan) -> list[Section]:
    if not plan.study.not_planned:
        return []
    rows = tuple(
        (labelled(what), labelled(f'not planned, because {why}'))
        for what, why in plan.study.not_planned.items()
    )
    table = Table('What of the paper is left out', ('what', 'why'), rows)
    return [Section('Not planned', (table,), 'not-planned')]


def _provenance(results: Results) -> list[Section]:
    """Return what each cell was made of: hashes, receipts, time."""
    lines = []
    for key, head in results.heads.items():
        receipt = head.get('receipt') or {}
        share = receipt.get('loaded_share_of_kept')
        loaded: Line = ()
        if share is not None:
            field = 'receipt.loaded_share_of_kept'
            number = Measured(head['id'], field, share, 1, 100)
            loaded = (number, ' % of what is kept')
        data = ', '.join(value[:8] for value in head['data'].values())
        halved = 'batch in parts' if head.get('is_batch_halved') else ''
        lines.append(
            (
                (Label(key[:8]),),
                labelled(results.plan.words(key)),
                (Path(str(head['config'])).stem,),
                (Label((head['weights_sha256'] or 'as its config says')[:18]),),
                (Label(data),),
                loaded,
                (Label(halved),),
            )
        )
    head = ('cell', 'what', 'config', 'weights', 'data', 'loaded', 'memory')
    note = (
        'Weights and data are the beginnings of SHA-256 hashes; the receipts of '
        'transfers lie in the cells, in full.',
    )
    blocks = [Table('Cells', head, tuple(lines), note)]
    outside = _outside(results)
    if outside:
        blocks.insert(0, Paragraph(outside))
    return [Section('Where every number comes from', tuple(blocks), 'provenance')]


def _outside(results: Results) -> Line:
    """Return what is said of weights from outside: only the transfer varies."""
    files: dict[bool, list[str]] = {}
    for name, one in results.study.candidates.items():
        fixed = [stage for stage in one.stages if stage.file]
        # A file for each seed is a pre-training that varies.
        if one.as_configured or any('{seed}' not in stage.file for stage in fixed):
            has_more = len(one.stages) > len(fixed)
            files.setdefault(has_more, []).append(name)
    line: Line = ()
    if False in files:
        line += (
            f'{", ".join(files[False])}: weights from outside. Only the transfer '
            'varies with the seed, and what is said is about those weights, not about '
            'their pre-training. ',
        )
    if True in files:
        line += (
            f'{", ".join(files[True])}: begins with weights from outside, the same for '
            'each seed; the stages after them vary.',
        )
    return line


def _machine() -> dict[str, str]:
    return {
        'mmdetxfer': __version__,
        'python': platform.python_version(),
        'system': f'{platform.system()} {platform.machine()}',
    }
