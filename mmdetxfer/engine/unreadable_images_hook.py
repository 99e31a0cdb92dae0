"""Counts the unreadable images of a training over all workers and ranks."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from mmdetxfer.engine.unreadable_images import Unreadable, named_files
from mmdetxfer.errors import UserError
from mmdetxfer.registry import HOOKS

MIN_LIMIT = 20


@HOOKS.register_module()
class UnreadableImagesHook(Hook):
    """Lists replaced images at the end of the epoch; stops where they are too many.

    Too many are more than 20 and more than 1 % of the epoch's samples, over all ranks.
    An epoch of an iteration loop is as many samples as the data set has. In a config:
    ``custom_hooks = [dict(type='mmdetxfer.UnreadableImagesHook')]``;
    ``mmdetxfer.ExactRunner`` adds it to every training.

    Args:
        interval: Iterations between two sums over the ranks; one process counts at
            every iteration.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 10) -> None:
        if interval < 1:
            raise ValueError(f'interval: expected 1 or more iterations, got {interval}')
        self.interval = interval

    def before_train(self, runner: Any) -> None:
        """Find out how many samples an epoch has."""
        loader = runner.train_dataloader
        self._num_samples = len(loader.dataset)
        batch_size = getattr(loader.batch_sampler, 'batch_size', None) or 1
        self._samples_an_iteration = batch_size * get_world_size()
        self.limit = max(MIN_LIMIT, self._num_samples // 100)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop if too many were replaced; list them when an epoch's samples are done.

        Every rank comes to the same iterations, so that the sums are of all ranks.
        """
        is_epoch_end = self._ends_epoch_of_iteration_loop(runner)
        is_due = get_world_size() == 1 or (runner.iter + 1) % self.interval == 0
        if is_due or is_epoch_end:
            self._count(runner)
        if is_epoch_end:
            self._list(runner, f'up to iteration {runner.iter + 1}')

    def after_train_epoch(self, runner: Any) -> None:
        """List what was replaced, and begin to count anew."""
        self._count(runner)
        is_by_epoch = not isinstance(runner.train_loop, IterBasedTrainLoop)
        where = f'epoch {runner.epoch + 1}' if is_by_epoch else 'up to the end'
        self._list(runner, where)

    def _ends_epoch_of_iteration_loop(self, runner: Any) -> bool:
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            return False
        before = runner.iter * self._samples_an_iteration
        after = before + self._samples_an_iteration
        return before // self._num_samples != after // self._num_samples

    def _count(self, runner: Any) -> None:
        """Sum over the ranks (a collective call); stop if it is too much."""
        total = torch.tensor(len(_log(runner)))
        all_reduce(total)
        self._total = int(total)
        if self._total > self.limit:
            raise UserError(
                f'{self._total} samples of this epoch had unreadable images, more than '
                f'{self.limit} (20, or 1 % of {self._num_samples} samples): '
                f'{named_files(_of_all_ranks(runner))}; look with '
                'tools/analysis_tools/audit_dataset.py'
            )

    def _list(self, runner: Any, where: str) -> None:
        """Name the files of all ranks (a collective call if there are any)."""
        if self._total:
            files = named_files(_of_all_ranks(runner))
            runner.logger.warning(
                f'{where}: {self._total} samples with unreadable images were replaced: '
                f'{files}'
            )
        _log(runner).clear()


def _log(runner: Any) -> list[Unreadable]:
    """Return the list that this rank's loader appends to."""
    # A loader of another loop replaces nothing: its unreadable image is an error.
    return getattr(runner.train_dataloader, 'unreadable', [])


def _of_all_ranks(runner: Any) -> Sequence[Unreadable]:
    return [
        Unreadable(*one) for rank in all_gather_object(_log(runner)) for one in rank
    ]
