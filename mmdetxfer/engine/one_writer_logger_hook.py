"""Lets one rank write the metrics of a test.

mmengine's ``LoggerHook`` writes the same JSON file from every rank at the same moment,
which now and then leaves it with the end of another rank's text.
"""

from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import LoggerHook

from mmdetxfer.registry import HOOKS


@HOOKS.register_module()
class OneWriterLoggerHook(LoggerHook):
    """``LoggerHook`` whose file of test metrics is written by rank 0 alone.

    In a config: ``default_hooks = dict(logger=dict(type=
    'mmdetxfer.OneWriterLoggerHook', interval=50))``, with the arguments of
    ``LoggerHook``; ``mmdetxfer.ExactRunner`` puts it in place of mmengine's.
    """

    def after_test_epoch(self, runner: Any, metrics: dict | None = None) -> None:
        """Log and write the metrics, on rank 0."""
        if is_main_process():
            super().after_test_epoch(runner, metrics)
