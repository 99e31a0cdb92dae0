"""Runs the project's tools in forks of one process that has imported the hosts once.

A tool on toy data needs 2 s, importing torch and a host before it 10 s. Each fork runs
the tool's file as ``python FILE ARGUMENTS`` would: same ``sys.argv``, same
``sys.path[0]``, own environment, folder and output. The package itself is not imported
before the fork, but what it imports of others is.

Protocol: a line of JSON in (``argv``, ``cwd``, ``path``, ``log``, ``timeout`` and
``ranks``, one environment a process), a line of JSON out, the list of exit codes.
"""

import json
import os
import runpy
import signal
import sys
import time
import traceback
from pathlib import Path

import mmdet.utils
import mmengine.runner  # noqa: F401
import mmpretrain.utils
import mmseg.utils
import numba  # noqa: F401

sys.path.append(str(Path(__file__).parents[1]))

import hosts_once  # noqa: E402


def serve() -> None:
    for package in (mmdet, mmseg, mmpretrain):
        package.utils.register_all_modules(init_default_scope=False)
    hosts_once.before_forks()
    print('ready', flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        children = [fork(request, rank) for rank in range(len(request['ranks']))]
        print(json.dumps(wait(children, request['timeout'])), flush=True)


def fork(request: dict, rank: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        log = request['log'] if rank == 0 else f'{request["log"]}.{rank}'
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(request['ranks'][rank])
        os.chdir(request['cwd'])
        sys.argv = request['argv']
        sys.path[:1] = [os.path.dirname(sys.argv[0]), *request['path']]
        runpy.run_path(sys.argv[0], run_name='__main__')
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(children: list[int], timeout: float) -> list[int]:
    """Return the exit codes; what hangs is killed, alone ranks some seconds later."""
    codes = {}
    end = time.monotonic() + timeout
    while len(codes) < len(children):
        for child in [child for child in children if child not in codes]:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                codes[child] = os.waitstatus_to_exitcode(status)
                if codes[child] != 0:
                    end = min(end, time.monotonic() + 8)
            elif time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    return [codes[child] for child in children]


if __name__ == '__main__':
    serve()
