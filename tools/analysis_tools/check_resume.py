"""Kill a training at random moments, resume it, and compare it with an undisturbed one.

Every repetition is a training of CONFIG that is killed (SIGKILL, with its workers) at a
random moment after its Runner was built, and resumed with --resume until it ends; its
last checkpoint must equal, bit for bit, that of the training that nobody killed. The
finished repetitions are kept in the work_dir, so that the command itself can be killed
and started again.

Example: python tools/analysis_tools/check_resume.py
configs/tiny/resume_det_retinanet-swin_1xb2-12e_world-voc.py --jobs 2
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.progress import track

from mmdetxfer.errors import UserError, one_line_errors

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'


def parse_args() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of a short training')
    parser.add_argument('--work-dir', default='work_dirs/check_resume')
    parser.add_argument('--repetitions', type=int, default=50)
    parser.add_argument('--kills', type=int, default=1, help='kills a repetition')
    parser.add_argument('--jobs', type=int, default=1, help='repetitions at a time')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='for train.py'
    )
    return parser.parse_args()


def training_command(args: argparse.Namespace, folder: Path, resume: bool) -> list:
    """Return the command of one training."""
    options = ['--cfg-options', 'randomness.seed=0', *args.cfg_options]
    command = [sys.executable, str(TRAIN), args.config, '--work-dir', str(folder)]
    return command + (['--resume'] if resume else []) + options


def run(command: list, folder: Path, kill_after_s: float | None = None) -> tuple:
    """Run to the end or to the kill; return (exit code, seconds since it was built)."""
    # mmengine writes the config when the Runner is built.
    config = folder / Path(command[2]).name
    config.unlink(missing_ok=True)
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    with open(folder / 'log.txt', 'a') as stream:
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        while process.poll() is None and not config.is_file():
            time.sleep(0.05)
        built = time.monotonic()
        try:
            process.wait(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, time.monotonic() - built


def undisturbed(args: argparse.Namespace, folder: Path) -> dict:
    """Train once without a kill; return its checkpoint and how long it took."""
    record = folder / 'undisturbed.json'
    if not record.is_file():
        print(f'training undisturbed in {folder}', flush=True)
        # A reference that was killed itself would prove nothing.
        shutil.rmtree(folder)
        folder.mkdir(parents=True)
        code, seconds = run(training_command(args, folder, False), folder)
        if code != 0:
            raise UserError(
                f'the undisturbed training failed (exit code {code}); see '
                f'{folder}/log.txt'
            )
        last = (folder / 'last_checkpoint').read_text().strip()
        record.write_text(json.dumps({'checkpoint': last, 'seconds': seconds}))
    return json.loads(record.read_text())


def one_repetition(args: argparse.Namespace, number: int, whole: dict) -> dict:
    """Kill and resume one training; return what differs from the undisturbed one."""
    from mmdetxfer.checkpoints.comparing import differing_parts

    folder = Path(args.work_dir) / f'{number:03d}'
    record = folder / 'result.json'
    if record.is_file():
        return json.loads(record.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    moments = random.Random(f'{args.seed} {number}')
    killed_after, num_resumed = [], 0
    for _ in range(args.kills):
        moment = moments.uniform(0.0, whole['seconds'])
        code, _ = run(training_command(args, folder, True), folder, moment)
        is_killed = code == -signal.SIGKILL
        killed_after.append(moment if is_killed else None)
        num_resumed += is_killed and (folder / 'last_checkpoint').is_file()
    code, _ = run(training_command(args, folder, True), folder)
    theirs = Path(whole['checkpoint'])
    mine = folder / theirs.name
    if code != 0 or not mine.is_file():
        differing = [f'the resumed training failed, exit code {code}']
    else:
        differing = differing_parts(mine, theirs)
    result = {'killed_after_s': killed_after, 'num_resumed': num_resumed}
    result['differing'] = differing
    record.write_text(json.dumps(result))
    return result


@one_line_errors
def main() -> None:
    """Run the repetitions and print how many were exact."""
    args = parse_args()
    whole_folder = Path(args.work_dir) / 'undisturbed'
    whole_folder.mkdir(parents=True, exist_ok=True)
    whole = undisturbed(args, whole_folder)
    with ThreadPoolExecutor(args.jobs) as pool:
        futures = [
            pool.submit(one_repetition, args, number, whole)
            for number in range(args.repetitions)
        ]
        results = [future.result() for future in track(futures, 'kill and resume')]
    for number, result in enumerate(results):
        if result['differing']:
            print(f'{number:03d} differs: {", ".join(result["differing"][:3])}')
    exact = sum(not result['differing'] for result in results)
    killed = sum(m is not None for r in results for m in r['killed_after_s'])
    resumed = sum(result['num_resumed'] for result in results)
    print(
        f'{exact} of {len(results)} equal the undisturbed training ({killed} kills, '
        f'{resumed} of them after the first checkpoint)'
    )
    if exact < len(results):
        raise UserError(f'{len(results) - exact} resumed trainings differ, see above')


if __name__ == '__main__':
    main()
