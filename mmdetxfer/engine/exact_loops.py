"""Training loops that go on, after a kill at any moment, with the very next batch.

They are mmengine's loops with three differences: the data stream is entered at the
saved batch instead of read again from its start (``replay.py``); validation leaves the
random state of the training as it was; and a validation that a kill cut off is made up
for.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from mmdetxfer.engine.held_state import held_state
from mmdetxfer.engine.random_state import (
    kept_random_state,
    random_state,
    set_random_state,
)
from mmdetxfer.engine.replay import replayable
from mmdetxfer.registry import LOOPS


class _ExactProgress:
    """What both loops know about where they stand; mixed into mmengine's loops."""

    _state_before_validation: dict | None = None
    _state_to_restore: dict | None = None
    _validation_is_done = True

    def progress(self) -> dict:
        """Return this process's part of what a checkpoint says about the loop."""
        in_validation = self._state_before_validation is not None
        state = self._state_before_validation if in_validation else random_state()
        unreadable = [tuple(one) for one in self.dataloader.unreadable]
        return {
            'random_state': state,
            'is_validated': in_validation,
            'unreadable': unreadable,
            'held_state': held_state(self.runner),
        }

    def resume_from(self, random_state_then: dict | None, is_validated: bool) -> None:
        """Take up a checkpoint's progress; ``_epoch`` and ``_iter`` are set already."""
        self._state_to_restore = random_state_then
        self._validation_is_done = is_validated

    def _restore_random_state(self) -> None:
        if self._state_to_restore is not None:
            set_random_state(self._state_to_restore)
            self._state_to_restore = None

    def _make_up_for_validation(self) -> None:
        """Run the validation that a kill cut off, before the training goes on."""
        if not self._validation_is_done:
            self._validation_is_done = True
            self._decide_current_val_interval()
            if self._is_validation_due():
                self._validate()

    def _validate(self) -> None:
        with kept_random_state() as state:
            self._state_before_validation = self._state_to_restore or state
            self.runner.val_loop.run()
            self._state_before_validation = None


@LOOPS.register_module()
class ExactEpochTrainLoop(_ExactProgress, EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` with exact resume in the middle of an epoch.

    In a config: ``train_cfg = dict(type='mmdetxfer.ExactEpochTrainLoop', max_epochs=12,
    val_interval=1)``; ``mmdetxfer.ExactRunner`` puts it in place of mmengine's.
    """

    def __init__(self, runner: Any, dataloader: Any, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of ``EpochBasedTrainLoop``."""
        super().__init__(runner, dataloader, *args, **kwargs)
        self.dataloader = replayable(self.dataloader, runner.seed, get_rank())

    def run(self) -> Any:
        """Train from where the loop stands to the last epoch."""
        self.runner.call_hook('before_train')
        self._make_up_for_validation()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            if self._is_validation_due():
                self._validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train over the batches of the current epoch that are still to come."""
        first_batch = self._iter - self._epoch * len(self.dataloader)
        if first_batch == 0:
            self._restore_random_state()
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        batches = self.dataloader.batches(self._epoch, first_batch)
        self._restore_random_state()
        for index, batch in enumerate(batches, first_batch):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _is_validation_due(self) -> bool:
        if self.runner.val_loop is None or self._epoch < max(self.val_begin, 1):
            return False
        if self._iter != self._epoch * len(self.dataloader):
            return False
        is_last = self._epoch == self._max_epochs
        return is_last or self._epoch % self.val_interval == 0


@LOOPS.register_module()
class ExactIterTrainLoop(_ExactProgress, IterBasedTrainLoop):
    """``IterBasedTrainLoop`` that resumes at once, wherever it was.

    In a config: ``train_cfg = dict(type='mmdetxfer.ExactIterTrainLoop',
    max_iters=40000, val_interval=4000)``; ``mmdetxfer.ExactRunner`` puts it in place of
    mmengine's. A finite sampler is gone through again, shuffled anew.
    """

    def __init__(self, runner: Any, dataloader: Any, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of ``IterBasedTrainLoop``."""
        if isinstance(dataloader, dict):
            diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
            dataloader = runner.build_dataloader(
                dataloader, seed=runner.seed, diff_rank_seed=diff_rank_seed
            )
        loader = replayable(dataloader, runner.seed, get_rank(), is_endless=True)
        super().__init__(runner, _Unstarted(loader), *args, **kwargs)
        self.dataloader = loader

    def run(self) -> Any:
        """Train from where the loop stands to the last iteration."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self._make_up_for_validation()
        if self._iter < self._max_iters:
            self.dataloader_iterator = self.dataloader.batches(0, self._iter)
        self._restore_random_state()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            if self._is_validation_due():
                self._validate()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _is_validation_due(self) -> bool:
        if self.runner.val_loop is None or self._iter < max(self.val_begin, 1):
            return False
        is_last = self._iter == self._max_iters
        return is_last or self._iter % self.val_interval == 0


class _Unstarted:
    """A loader that mmengine's constructor may call ``iter`` on without any effect.

    ``IterBasedTrainLoop`` starts its workers in its constructor, long before a resumed
    run knows its position.
    """

    def __init__(self, loader: Any) -> None:
        self.dataset = loader.dataset

    def __iter__(self) -> Iterator:
        return iter(())
