"""What ``tools/study.py`` does, command by command; each returns an exit code."""

import json
import shlex
import shutil
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmdetxfer.errors import UserError
from mmdetxfer.study.cell import Launch
from mmdetxfer.study.cells import Machine, Plan, named_cell
from mmdetxfer.study.export import write_winner
from mmdetxfer.study.inputs import missing_inputs
from mmdetxfer.study.machine import default_jobs, num_gpus
from mmdetxfer.study.measuring import Cost, known_costs, measure
from mmdetxfer.study.parts import parts_of
from mmdetxfer.study.plan import planned
from mmdetxfer.study.progress import Progress
from mmdetxfer.study.reading import read_study
from mmdetxfer.study.running import check, forget_done, hold
from mmdetxfer.study.running import clean as remove
from mmdetxfer.study.running import run as run_cells
from mmdetxfer.study.snakefile import Settings
from mmdetxfer.study.states import STATES, State, failure_of, state_of
from mmdetxfer.study.writing import write_study_report
from mmdetxfer.text_files import write_text_atomically

LAST_RUN = 'last_run.json'


def plan_of(args: Namespace) -> Plan:
    """Return the plan of the study that the arguments name.

    What they leave open of the GPUs is settled in them: as the study ran last.
    """
    study = read_study(args.config, args.cfg_options)
    last = {} if args.command == 'run' else _last_run(args)
    for name, usual in (('gpus', 0), ('launcher', 'none')):
        if getattr(args, name) is None:
            setattr(args, name, last.get(name, usual))
            if getattr(args, name) != usual:
                _say(f'as the study ran: --{name} {getattr(args, name)}')
    world_size = max(args.gpus, 1) if args.launcher != 'none' else 1
    device = 'cuda' if args.gpus else 'cpu'
    parts = parts_of(study)
    tasks = {task for part in parts for task in part.tasks}
    has_probes = any(part.needs_probes for part in parts)
    machine = Machine(device, world_size, args.work_dirs / 'cells')
    plan = planned(study, machine, tuple(tasks), has_probes)
    for path in plan.changed:
        _say(
            f'{path}: not what it was at the last look, of which files that were added '
            'are enough; cells that read it count as new'
        )
    return plan


def study_dir(args: Namespace) -> Path:
    """Return the folder of a study."""
    return args.work_dirs / 'studies' / read_study(args.config, args.cfg_options).name


def _last_run(args: Namespace) -> dict:
    """Return how a study was run last; nothing where it was not."""
    path = study_dir(args) / LAST_RUN
    return json.loads(path.read_text()) if path.is_file() else {}


def plan(args: Namespace) -> int:
    """Show the cells of a study, and what is missing."""
    own = plan_of(args)
    costs = known_costs(own, args.work_dirs / 'measured')
    if args.measure:
        costs = measure(own, args.work_dirs / 'measured', _say)
    print_plan(own, costs)
    if args.graph is not None:
        from mmdetxfer.plots import draw_cells

        nodes = {key: (own.words(key), cell.needs) for key, cell in own.cells.items()}
        done = [key for key in own.cells if state_of(own, key).state == 'done']
        if args.graph.suffix not in ('.png', '.svg', '.pdf'):
            raise UserError(f'--graph: expected .png, .svg or .pdf, got {args.graph}')
        draw_cells(nodes, done, args.graph)
        _say(f'the cells as a picture: {args.graph}')
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def print_plan(plan: Plan, costs: Mapping[str, Cost]) -> None:
    """Print a table of cells, and a sum.

    Args:
        plan: The plan.
        costs: By key, where they were measured.
    """
    table = Table('cell', 'what', 'state', 'needs', 'cost', title=plan.study.question)
    states = {key: state_of(plan, key) for key in plan.cells}
    for key, cell in plan.cells.items():
        state = states[key]
        cost = 'unmeasured'
        if state.seconds is not None:
            cost = f'{state.seconds:.0f} s'
        elif key in costs:
            cost = f'about {costs[key].seconds:.0f} s'
        needs = ' '.join(one[:8] for one in cell.needs)
        table.add_row(key[:8], plan.words(key), state.state, needs, cost)
    Console(width=max(110, shutil.get_terminal_size().columns)).print(table)
    counts = [f'{_count(states, one)} {one}' for one in STATES if _count(states, one)]
    _say(f'{len(states)} cells: {", ".join(counts)}')
    for path in sorted({one for own in missing_inputs(plan).values() for one in own}):
        _say(f'not here yet: {path}')
    left = [key for key in states if states[key].state != 'done']
    known = [costs[key] for key in left if key in costs]
    if left:
        free = shutil.disk_usage(_present(plan.machine.cells)).free / 1e6
        seconds, disk = sum(o.seconds for o in known), sum(o.megabytes for o in known)
        unknown = len(left) - len(known)
        if known:
            _say(f'left: about {seconds / 60:.0f} min of trainings, one at a time')
            _say(f'disk: about {disk:.0f} MB are needed, {free:.0f} are free')
        if unknown:
            _say(f'time and disk of {unknown} cells are unmeasured: plan --measure')


def _count(states: Mapping[str, State], state: str) -> int:
    return sum(one.state == state for one in states.values())


def _present(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def status(args: Namespace) -> int:
    """Show what is done, what runs, and why what failed did."""
    own = plan_of(args)
    for key in own.cells:
        state = state_of(own, key)
        seconds = '' if state.seconds is None else f'{state.seconds:.0f} s'
        _say(f'{key[:8]}  {state.state:8} {seconds:>7}  {own.words(key)}')
        if state.state == 'failed':
            failure = failure_of(own, key)
            _say(f'{"":10}{failure.reason}\n{"":10}its log: {failure.log}')
    return 0


def run(args: Namespace) -> int:
    """Run what is missing, and write the report of what is there."""
    own, folder = plan_of(args), study_dir(args)
    jobs = args.jobs or default_jobs(own, args.gpus, args.executor)
    launch = Launch(args.launcher, args.gpus, args.trust_checkpoint)
    extra = tuple(shlex.split(args.snakemake))
    settings = Settings(args.executor, launch, jobs, num_gpus(), extra)
    check(settings)
    with hold(folder):
        last = dict(
            gpus=args.gpus,
            launcher=args.launcher,
            of=_study_words(args),
            command=_command(args),
        )
        write_text_atomically(folder / LAST_RUN, json.dumps(last, indent=1) + '\n')
        absent = missing_inputs(own)
        for path in sorted({one for paths in absent.values() for one in paths}):
            _say(f'not here: {path}; what needs it fails, the rest goes on')
        code = run_cells(own, folder, settings, Progress(own, jobs, _say), absent)
        left = [key for key in own.cells if state_of(own, key).state != 'done']
        for key in left:
            failure = failure_of(own, key)
            _say(f'not done: {failure.cell}: {failure.reason}')
        if code != 0 and not any(state_of(own, k).state == 'failed' for k in left):
            _say(f'Snakemake ended with {code}: {_last_line(folder)}')
        if not args.no_report:
            write_study_report(own, folder, _command(args), _say)
    return 1 if left else 0


def _last_line(folder: Path) -> str:
    """Return the last words of Snakemake, and where they stand."""
    path = folder / 'snakemake.log'
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    return f'{lines[-1].strip() if lines else "no word"}; its log is {path}'


def report(args: Namespace) -> int:
    """Write the report of what is there."""
    own, last = plan_of(args), _last_run(args)
    is_same = last.get('of') == _study_words(args)
    command = last['command'] if is_same else _command(args)
    write_study_report(own, study_dir(args), command, _say)
    return 0


def _study_words(args: Namespace) -> str:
    """Return which study it is, as a command names it."""
    words = [str(args.config)]
    if args.cfg_options:
        pairs = (f"'{key}={value}'" for key, value in args.cfg_options.items())
        words.append(f'--cfg-options {" ".join(pairs)}')
    return ' '.join(words)


def _command(args: Namespace) -> str:
    """Return the command that runs the study in the same way."""
    words = [f'python tools/study.py run {_study_words(args)}']
    usual = dict(
        executor='local',
        launcher='none',
        gpus=0,
        jobs=None,
        work_dirs=Path('work_dirs'),
        snakemake='',
    )
    for name, value in usual.items():
        own = getattr(args, name, value)
        if own != value:
            words.append(f'--{name.replace("_", "-")} {shlex.quote(str(own))}')
    if getattr(args, 'trust_checkpoint', False):
        words.append('--trust-checkpoint')
    return ' '.join(words)


def rerun(args: Namespace) -> int:
    """Forget a cell and what was made from it, so that the next run makes them."""
    own = plan_of(args)
    key = named_cell(own, args.cell)
    with hold(study_dir(args)):
        for one in forget_done(own, key):
            _say(f'forgotten: {one[:8]} {own.words(one)}')
    _say(f'the next makes them again: {_command(args)}')
    return 0


def clean(args: Namespace) -> int:
    """Remove the study's cells, which other studies may share."""
    own = plan_of(args)
    there = [key for key in own.cells if own.folder(key).is_dir()]
    if not args.yes:
        _say(f'{len(there)} cells of this study are there, with their checkpoints:')
        for key in there:
            _say(f'  {own.folder(key)} {own.words(key)}')
        raise UserError('nothing was removed; --yes removes them')
    with hold(study_dir(args)):
        remove(own, there)
    _say(f'{len(there)} cells removed')
    return 0


def export(args: Namespace) -> int:
    """Write the config of a candidate's transfer, and say how to go on with it."""
    own = plan_of(args)
    candidates, targets = own.study.candidates, own.study.targets
    name, target = args.winner, args.target or next(iter(targets), None)
    for what, known, given in (
        ('WINNER', candidates, name),
        ('--target', targets, target),
    ):
        if given not in known:
            raise UserError(
                f'{what}: expected one of {", ".join(known)}, got {given!r}'
            )
    path = study_dir(args) / f'{name}_on_{target}.py'
    command = write_winner(own, name, target, path)
    _say(f'{path}: the config, everything resolved')
    _say(f'train it: {command}')
    return 0
