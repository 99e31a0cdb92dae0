"""Says at the start of a training which classes its data has."""

import logging
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmdetxfer.datasets.class_check import check_classes
from mmdetxfer.registry import HOOKS


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Logs one line on the classes of the training data before the first iteration.

    It is a warning if classes are never seen, unknown to the config or in another
    order. No image is read. In a config:
    ``custom_hooks = [dict(type='mmdetxfer.ClassCheckHook')]``;
    ``mmdetxfer.ExactRunner`` adds it to every training.

    Args:
        seconds: Time for counting the labels of each joined data set, and as much again
            for its annotation files.
    """

    priority = 'NORMAL'

    def __init__(self, seconds: float = 3.0) -> None:
        if seconds <= 0:
            raise ValueError(f'seconds: expected more than 0, got {seconds}')
        self.seconds = seconds

    def before_train(self, runner: Any) -> None:
        """Look and say."""
        if is_main_process():
            seen = check_classes(runner.train_dataloader.dataset, self.seconds)
            level = logging.WARNING if seen.is_wrong() else logging.INFO
            runner.logger.log(level, seen.line())
