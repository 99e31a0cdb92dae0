"""The errors that a user caused and a user can cure.

A tool prints such an error as one line and ends with exit code 1; any other exception
is a defect of ours or of a host and keeps its traceback.
"""

import functools
import os
import sys
from collections.abc import Callable


class UserError(Exception):
    """Wrong input: what was expected, what came, and what to do, in one line."""


class NonfiniteLossError(UserError):
    """A training whose loss is no number."""


class CheckpointError(UserError):
    """A checkpoint that is damaged, refused, missing or of another kind."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint file whose bytes are not those that were written."""


def one_line_errors(main: Callable[[], None]) -> Callable[[], None]:
    """Let a tool's ``main`` end a user's error with one line and exit code 1."""

    @functools.wraps(main)
    def guarded() -> None:
        try:
            main()
        except UserError as error:
            rank = os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0'))
            who = 'error' if rank == '0' else f'error (rank {rank})'
            print(f'{who}: {error}', file=sys.stderr, flush=True)
            sys.exit(1)

    return guarded
