"""Times a few iterations of a training, and ends it."""

import json
import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

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
        self._iterations = 0

    def before_train(self, runner: Any) -> None:
        """Begin with the first iteration where there is no other."""
        self._warm_up = min(WARM_UP, runner.max_iters - 1)
        self._mark()

    def _mark(self) -> None:
        self._first = time.monotonic()
        self._start = self._first - self._begun

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Count, and end the training after the last."""
        self._iterations += 1
        if self._iterations == self._warm_up:
            self._mark()
        if self._iterations < min(MEASURED, runner.max_iters):
            return
        seconds = time.monotonic() - self._first
        seconds /= self._iterations - self._warm_up
        parameters = sum(one.numel() for one in runner.model.parameters())
        content = dict(
            start=self._start,
            seconds_per_iteration=seconds,
            iterations=runner.max_iters,
            # Ranks share the iterations of an epoch.
            are_shared=isinstance(runner.train_loop, EpochBasedTrainLoop),
            # Weights and momentum, of the newest file and the one before.
            megabytes=parameters * 4 * 2 * 2 / 1e6,
        )
        write_text_atomically(self.path, json.dumps(content) + '\n')
        raise Measured
