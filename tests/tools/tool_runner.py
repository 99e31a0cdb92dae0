"""Runs tools for the tests beside it, without paying for the hosts each time."""

import json
import os
import select
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / 'configs' / 'tiny'
CLS = CONFIGS / 'tiny_cls_r18_1xb8-2e_world-imagenet.py'
DET = CONFIGS / 'tiny_det_retinanet-r18_1xb4-2e_world-voc.py'
SEG = CONFIGS / 'tiny_seg_fcn-r18_1xb4-8i_world-voc.py'
# One thread, no GPU: what is compared here is compared exactly.
PLAIN = {'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}


@dataclass(frozen=True)
class Ended:
    """A tool that has ended: its exit code, and what the first rank printed."""

    code: int
    printed: str


class Tools:
    """Runs tools in forks of a server that has imported the hosts (tool_server.py)."""

    def __init__(self, logs: Path) -> None:
        self.logs, self.count = logs, 0
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name('tool_server.py'))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=open(logs / 'server.txt', 'w'),
            text=True,
            env={**clean_environment(), 'PYTHONPATH': str(REPOSITORY)},
        )
        self._answer(180)

    def __call__(self, tool, *arguments, cwd, ranks=1, fails=False, path=()) -> Ended:
        """Run a tool to its end, as several gloo ranks if asked to.

        Args:
            tool: A name under ``tools/``, or a path.
            arguments: Of the command line.
            cwd: The folder to run in.
            ranks: Processes; with several, ``--launcher pytorch`` is added. Or an
                environment for each process; then nothing is added.
            fails: Whether the tool must end with an error (exit code not 0).
            path: Folders to import modules from, as in ``PYTHONPATH``.
        """
        self.count += 1
        argv = [str(REPOSITORY / 'tools' / tool), *map(str, arguments)]
        environments = ranks if isinstance(ranks, list) else [{}]
        if isinstance(ranks, int) and ranks > 1:
            argv += ['--launcher', 'pytorch']
            environments = rank_environments(ranks)
        log = self.logs / f'{self.count}.txt'
        request = dict(argv=argv, cwd=str(cwd), log=str(log), timeout=240)
        request['path'] = list(map(str, path))
        self.server.stdin.write(json.dumps({**request, 'ranks': environments}) + '\n')
        self.server.stdin.flush()
        codes = json.loads(self._answer(270))
        printed = log.read_text()
        worst = next((code for code in codes if code), 0)
        assert bool(worst) == fails, f'exit codes {codes}: {printed[-4000:]}'
        return Ended(worst, printed)

    def _answer(self, seconds: float) -> str:
        ready, _, _ = select.select([self.server.stdout], [], [], seconds)
        line = self.server.stdout.readline() if ready else ''
        assert line, (self.logs / 'server.txt').read_text()[-3000:]
        return line

    def close(self) -> None:
        self.server.kill()
        self.server.wait(timeout=20)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what steers Python or ranks."""
    steering = ('PYTHON', 'SLURM', 'OMP_', 'MKL_')
    steering += ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_', 'PORT')
    kept = {k: v for k, v in os.environ.items() if not k.startswith(steering)}
    return {**kept, **PLAIN}


def rank_environments(count: int) -> list[dict[str, str]]:
    """Return what torchrun sets, for each of the ranks of one node."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    common = dict(WORLD_SIZE=count, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    ranks = [{**common, 'RANK': rank, 'LOCAL_RANK': rank} for rank in range(count)]
    return [{key: str(value) for key, value in rank.items()} for rank in ranks]


def copy_of(work_dir: Path, target: Path) -> Path:
    """Copy a work folder; ``last_checkpoint`` points into the copy."""
    shutil.copytree(work_dir, target)
    newest = Path((work_dir / 'last_checkpoint').read_text())
    (target / 'last_checkpoint').write_text(str(target / newest.name))
    return target
