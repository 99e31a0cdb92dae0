"""Is a study that was killed at random moments as if it had not been?

    python tools/benchmarks/killed_study.py CONFIG [--kills 2] [--out FOLDER]

Runs the study of CONFIG once undisturbed; then, for each of study.py alone, Snakemake
alone, the whole group and a training alone, once more in a folder of its own, where a
SIGKILL meets it KILLS times at random moments, and lets it end. Compares all records
but for their volatile fields, and says whether two trainings were ever at work in one
cell, or a finished cell was made again. Exit code 1 if so, or if a record differs.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.study.records import RECORDS, read_records, without_volatile

ROOT = Path(__file__).resolve().parents[2]
STUDY, SNAKEMAKE = 'only study.py', 'only Snakemake'
GROUP, TRAINING = 'the whole group', 'only a training'
KINDS = (STUDY, SNAKEMAKE, GROUP, TRAINING)
WORK = '-m mmdetxfer.study.work '


def processes_of(folder: Path) -> dict[int, str]:
    """Return what works for a study: by its number, its command line.

    Args:
        folder: That command lines or working directories name.
    """
    found = {}
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            words = path.read_text().replace('\0', ' ')
            cwd = os.readlink(path.with_name('cwd'))
            name = path.with_name('comm').read_text().strip()
        except OSError:
            continue
        # Loaders have the command line of their training.
        is_loader = name == 'pt_data_worker'
        if (str(folder) in words or cwd.startswith(str(folder))) and not is_loader:
            found[int(path.parent.name)] = words
    return found


def trainers(folder: Path, work: str = WORK) -> dict[int, str]:
    """Return what trains for a study.

    Args:
        folder: Of the study.
        work: What the command line of a training says.
    """
    return {pid: one for pid, one in processes_of(folder).items() if work in one}


def snakemakes(folder: Path) -> list[int]:
    """Return the processes of Snakemake of a study."""
    return [pid for pid, one in processes_of(folder).items() if '-m snakemake' in one]


def wait_for(claim: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until something is so; not for ever.

    Args:
        claim: Whether it is.
        what: Said if it never is.
        seconds: To wait.
    """
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            raise UserError(f'{what} within {seconds:g} seconds')
        time.sleep(0.02)


def kill(
    folder: Path, process: subprocess.Popen, what: str, work: str = WORK
) -> list[int]:
    """Send a SIGKILL to one part of a running study, or to all; return the numbers.

    Args:
        folder: Of the study.
        process: The call of study.py.
        what: One of ``KINDS``.
        work: What the command line of a training says.
    """
    if what == STUDY:
        chosen = [process.pid]
    elif what == SNAKEMAKE:
        # What is at work may be left by the call before.
        wait_for(lambda: snakemakes(folder) or process.poll() is not None, 'none began')
        chosen = snakemakes(folder)
    elif what == TRAINING:
        chosen = random.sample(sorted(trainers(folder, work)), 1)
    else:
        chosen = list(processes_of(folder))
    for pid in chosen:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return chosen


class Watch(threading.Thread):
    """Looks whether two trainings are ever at work in one cell.

    Args:
        folder: Of the study.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        super().__init__(daemon=True)
        self.folder, self.twice, self.is_over = folder, set(), threading.Event()

    def run(self) -> None:
        """Look ten times a second."""
        while not self.is_over.wait(0.1):
            cells = Counter(one.split()[3] for one in trainers(self.folder).values())
            self.twice |= {cell for cell, count in cells.items() if count > 1}


def begin(config: str, folder: Path, jobs: int) -> subprocess.Popen:
    """Start a study in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, '-W', 'ignore', str(ROOT / 'tools/study.py'), 'run']
    command += [config, '--work-dirs', str(folder), '--jobs', str(jobs), '--no-report']
    with open(folder / 'printed.txt', 'a') as printed:
        return subprocess.Popen(
            command, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
        )


def finish(config: str, folder: Path, jobs: int) -> None:
    """Run a study to its end."""
    if begin(config, folder, jobs).wait() != 0:
        raise UserError(
            f'the study did not end well; what it printed: {folder}/printed.txt'
        )


def records_in(folder: Path) -> dict[str, list[dict]]:
    """Return the records of each cell without what changes from run to run."""
    return {
        path.parent.name: without_volatile(read_records(path))
        for path in sorted(folder.glob(f'cells/*/{RECORDS}'))
    }


def made_at(folder: Path) -> dict[str, int]:
    """Return when the records of each finished cell were written."""
    files = folder.glob(f'cells/*/{RECORDS}')
    return {path.parent.name: path.stat().st_mtime_ns for path in files}


def killed(config: str, folder: Path, jobs: int, what: str, kills: int) -> list[str]:
    """Run a study that is killed on the way; return what went wrong.

    Args:
        config: Of the study.
        folder: Where it runs.
        jobs: Cells at a time.
        what: One of ``KINDS``.
        kills: How often.
    """
    watch = Watch(folder)
    watch.start()
    finished: dict[str, int] = {}
    count = 0
    while count < kills:
        process = begin(config, folder, jobs)
        wait_for(
            lambda run=process: trainers(folder) or run.poll() is not None,
            'no cell began',
        )
        time.sleep(random.uniform(0, 25))
        if process.poll() is not None:
            break
        if what == TRAINING and not trainers(folder):
            process.send_signal(signal.SIGTERM)
            process.wait()
            continue
        finished |= made_at(folder)
        kill(folder, process, what)
        count += 1
        print(f'  {what}: killed, {len(finished)} cells were done', flush=True)
        process.wait()
    finish(config, folder, jobs)
    watch.is_over.set()
    watch.join()
    wrong = [f'two trainings at once in {cell}' for cell in sorted(watch.twice)]
    after = made_at(folder)
    wrong += [
        f'{cell} was done, and made again'
        for cell, time_ns in finished.items()
        if after.get(cell) != time_ns
    ]
    if count < kills:
        wrong.append(f'it ended before kill {count + 1}: expected a longer study')
    return wrong


@one_line_errors
def main() -> None:
    """Kill a study in each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a study, of a few cells')
    parser.add_argument('--kills', type=int, default=2, help='in each way')
    parser.add_argument('--jobs', type=int, default=2, help='cells at a time')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/killed_study'))
    args = parser.parse_args()
    if args.out.exists():
        raise UserError(f'--out: expected a folder that is not there, got {args.out}')
    out = args.out.resolve()
    print('undisturbed', flush=True)
    finish(args.config, out / 'whole', args.jobs)
    expected = records_in(out / 'whole')
    code = 0
    for what in KINDS:
        folder = out / what.replace(' ', '_')
        wrong = killed(args.config, folder, args.jobs, what, args.kills)
        found = records_in(folder)
        wrong += [
            f'{cell}: its records differ'
            for cell in sorted(expected.keys() | found.keys())
            if expected.get(cell) != found.get(cell)
        ]
        words = '; '.join(wrong) or f'the records of {len(found)} cells are the same'
        print(f'{what}, {args.kills} times: {words}', flush=True)
        code |= bool(wrong)
    raise SystemExit(code)


if __name__ == '__main__':
    main()
