"""A tool like tools/study.py whose cells count slowly instead of training.

``run FOLDER`` runs a plan of three cells (two begin at once, one needs the first), each
of which adds up to a number step by step, keeps its sum after each step as a training
keeps checkpoints, and writes down who worked when. The package's own locks, process
groups and records are around it.
"""

import fcntl
import json
import os
import sys
import time
from pathlib import Path

from mmdetxfer.study.cell import Launch
from mmdetxfer.study.cells import Cell, Machine, Plan, Use
from mmdetxfer.study.progress import Progress
from mmdetxfer.study.reading import Candidate, Study
from mmdetxfer.study.records import write_records
from mmdetxfer.study.running import hold, run
from mmdetxfer.study.snakefile import Settings

STEPS = 8
KEYS = {'aaaa': (), 'bbbb': ('aaaa',), 'cccc': ()}


def toy_plan(folder: Path):

    study = Study(
        name='toy',
        question='how much is it?',
        candidates={'one': Candidate(), 'other': Candidate()},
        targets={},
        baseline='one',
    )
    plan = Plan(study, Machine(cells=folder / 'cells'))
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / 'config.py'
    if not config.is_file():
        config.write_text('train_dataloader = dict(num_workers=0)\n')
    for key, needs in KEYS.items():
        spec = dict(key=key, kind='pretrain', threads=1, needs=list(needs))
        spec.update(config=str(config), options={})
        plan.cells[key] = Cell(key, spec, needs, {})
        plan.uses.append(Use(key, 'pretrain', 'one', 0, stage=0))
    return plan


def run_all(folder: Path, executor: str = 'local', extra: tuple = ()) -> int:

    plan, jobs = toy_plan(folder), 2
    launch = Launch(script=__file__)
    settings = Settings(executor, launch, jobs, extra=tuple(extra))
    with hold(folder / 'study'):
        say = lambda text: print(text, flush=True)  # noqa: E731
        return run(plan, folder / 'study', settings, Progress(plan, jobs, say))


def work(folder: Path) -> None:
    """Count to the sum of the first steps, a step of 0.15 s after the other."""
    spec = json.loads((folder / 'cell.json').read_text())
    with open(folder / 'alone', 'w') as alone:
        try:
            fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            (folder / 'two_at_once').touch()
        state = folder / 'state.json'
        step, total = json.loads(state.read_text()) if state.is_file() else (0, 0)
        for need in spec['needs']:
            assert (folder.parent / need / 'records.jsonl').is_file()
        with open(folder / 'trace.txt', 'a') as trace:
            trace.write(f'{os.getpid()} from {step}\n')
        if (folder.parent / f'{spec["key"]}_fails').is_file():
            print('error: it was told to fail', flush=True)
            raise SystemExit(1)
        if (folder.parent / 'no_memory').is_file() and '--halved' not in sys.argv:
            print('CUDA out of memory. Tried to allocate 2.00 GiB', flush=True)
            raise SystemExit(1)
        while step < STEPS:
            time.sleep(0.15)
            step, total = step + 1, total + step
            # Without waiting for the disk, which takes a second when it is busy.
            new = state.with_suffix('.new')
            new.write_text(json.dumps([step, total]))
            new.replace(state)
        head = dict(
            key=spec['key'],
            what='pretrain',
            config='toy',
            seed=0,
            weights_sha256='',
            data={},
            versions={},
            is_batch_halved='--halved' in sys.argv,
            threads=os.environ['OMP_NUM_THREADS'],
            volatile=dict(seconds=1.0, pid=os.getpid()),
        )
        write_records(folder, head, [dict(kind='score', score='sum', value=total)])


def main() -> None:
    if sys.argv[1] == 'run':
        executor, *extra = sys.argv[3:] or ['local']
        raise SystemExit(run_all(Path(sys.argv[2]), executor, extra))
    work(Path(sys.argv[1]))


if __name__ == '__main__':
    main()
