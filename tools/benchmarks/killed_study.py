"""Is a study that was killed at random moments as if it had not been?

    python tools/benchmarks/killed_study.py CONFIG [--kills 2] [--out FOLDER]

Runs the study of CONFIG once undisturbed; then, for each of study.py alone, Snakemake
alone, the whole group and a training alone, once more in a folder of its own, where a
SIGKILL meets it KILLS times at random moments, and lets it end. Compares all records
but for their volatile fields, and says whether two trainings were ever at work in one
cell, or a finished cell was made again. Exit code 1 if so, or if a record differs.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from mmdetxfer.errors import UserError, one_line_errors
from mmdetxfer.study.records import RECORDS, read_records, without_volatile

ROOT = Path(__file__).resolve().parents[2]
STUDY, SNAKEMAKE = 'only study.py', 'only Snakemake'
GROUP, TRAINING = 'the whole group', 'only a training'
KINDS = (STUDY, SNAKEMAKE, GROUP, TRAINING)
WORK = 'mmdetxfer.study.work'
# What stands still for so long will not end.
HOURS = 4 * 3600


def processes_of(folder: Path) -> dict[int, list[str]]:
    """Return what works for a study: by its number, the words of its command line.

    Args:
        folder: That a word names, or in which it works.
    """
    found = {}
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            words = path.read_bytes().decode(errors='replace').split('\0')
            cwd = Path(os.readlink(path.with_name('cwd')))
        except OSError:
            continue
        # Not an editor or a shell that happens to be there.
        is_ours = 'python' in words[0] or 'mmdetxfer' in ' '.join(words)
        names_it = any(str(folder) in word for word in words)
        if is_ours and (names_it or cwd.is_relative_to(folder)):
            found[int(path.parent.name)] = words
    return found


def trainers(folder: Path, work: str = WORK) -> dict[int, list[str]]:
    """Return what trains for a study, without the loaders of a training.

    Args:
        folder: Of the study.
        work: A word of the command line of a training.
    """
    found = {}
    for pid, words in processes_of(folder).items():
        try:
            # A training leads the group that its cell began.
            is_leader = os.getpgid(pid) == pid
        except ProcessLookupError:
            continue
        if is_leader and any(work in word for word in words):
            found[pid] = words
    return found


def snakemakes(folder: Path) -> list[int]:
    """Return the processes of Snakemake of a study."""
    return [pid for pid, one in processes_of(folder).items() if 'snakemake' in one]


def wait_for(claim: Callable[[], object], what: str, seconds: float = 180) -> None:
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


def wait_for_end(process: subprocess.Popen) -> None:
    """Wait for a call of study.py; not for ever."""
    wait_for(lambda: process.poll() is not None, 'the study did not end', HOURS)


def kill(
    folder: Path, process: subprocess.Popen, what: str, work: str = WORK
) -> list[int]:
    """Send a SIGKILL to one part of a running study, or to all; return the numbers.

    Args:
        folder: Of the study.
        process: The call of study.py.
        what: One of ``KINDS``.
        work: A word of the command line of a training.
    """
    if what == STUDY:
        chosen = [process.pid]
    elif what == SNAKEMAKE:
        # What is at work may be left by the call before.
        wait_for(lambda: snakemakes(folder) or process.poll() is not None, 'none began')
        chosen = snakemakes(folder)
    elif what == TRAINING:
        own = sorted(trainers(folder, work))
        chosen = random.sample(own, min(len(own), 1))
    else:
        chosen = list(processes_of(folder))
    hit = []
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            hit.append(pid)
    return hit


class Watch(threading.Thread):
    """Looks whether two trainings are ever at work in one cell.

    Args:
        folder: Of the study.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        super().__init__(daemon=True)
        self.folder, self.twice, self.is_over = folder, set(), threading.Event()
        self.is_whole = False

    def run(self) -> None:
        """Look ten times a second."""
        while not self.is_over.wait(0.1):
            words = trainers(self.folder).values()
            cells = Counter(one[one.index(WORK) + 1] for one in words)
            self.twice |= {cell for cell, count in cells.items() if count > 1}
        self.is_whole = True


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
    process = begin(config, folder, jobs)
    wait_for_end(process)
    if process.returncode != 0:
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


def made_again(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return what is wrong with cells that were done before: made again, or gone."""
    return [
        f'{cell} was done, and made again'
        for cell, time_ns in before.items()
        if after.get(cell) != time_ns
    ]


def differing(
    expected: Mapping[str, list[dict]], found: Mapping[str, list[dict]]
) -> list[str]:
    """Return which cells have other records, or none."""
    return [
        f'{cell}: its records differ'
        for cell in sorted(expected.keys() | found.keys())
        if expected.get(cell) != found.get(cell)
    ]


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
    try:
        while count < kills:
            process = begin(config, folder, jobs)
            wait_for(
                lambda run=process: trainers(folder) or run.poll() is not None,
                'no cell began',
            )
            time.sleep(random.uniform(0, 25))
            if process.poll() is not None:
                break
            # What was made again since an earlier look is found at the end.
            finished = made_at(folder) | finished
            if kill(folder, process, what):
                count += 1
                print(f'  {what}: killed, {len(finished)} cells were done', flush=True)
            else:
                # Between two cells; as if told to end.
                process.terminate()
            wait_for_end(process)
        finish(config, folder, jobs)
    finally:
        for pid in processes_of(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        watch.is_over.set()
        watch.join()
    wrong = [f'two trainings at once in {cell}' for cell in sorted(watch.twice)]
    wrong += [] if watch.is_whole else ['what looked for two at once ended itself']
    wrong += made_again(finished, made_at(folder))
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
        wrong += differing(expected, found)
        words = '; '.join(wrong) or f'the records of {len(found)} cells are the same'
        print(f'{what}, {args.kills} times: {words}', flush=True)
        code |= bool(wrong)
    raise SystemExit(code)


if __name__ == '__main__':
    main()
