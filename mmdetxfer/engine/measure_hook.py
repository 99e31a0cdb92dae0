"""Times a few iterations of a training, and ends it."""

import json
import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from mmdetxfer.text_files import write_text_atomically

MEASURED, WARM_UP = 20, 5


class Measured(Exception):
    """Raised when enough iterations were measured."""


class MeasureHook(Hook):
    """Times a few iterations of a training, writes them down, and ends it.

    Args:
        path: Where they are written.
    """

    priority = 'LOWEST'

    def __init__(self, path: Path) -> None:
        """Begin to count."""
        self.path, self._begun = path, time.monotonic()
        self._first, self._iterations = 0.0, 0

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Count, and end the training after the last."""
        self._iterations += 1
        now = time.monotonic()
        if self._iterations == WARM_UP:
            self._first, self._start = now, now - self._begun
        last = min(MEASURED, runner.max_iters)
        if self._iterations < max(last, WARM_UP + 1):
            return
        seconds = (now - self._first) / (self._iterations - WARM_UP)
        parameters = sum(one.numel() for one in runner.model.parameters())
        content = dict(
            start=self._start,
            seconds_per_iteration=seconds,
            iterations=runner.max_iters,
            # Weights and momentum, of the newest file and the one before.
            megabytes=parameters * 4 * 2 * 2 / 1e6,
        )
        write_text_atomically(self.path, json.dumps(content) + '\n')
        raise Measured
