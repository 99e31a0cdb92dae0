"""Saves checkpoints such that a good one exists at every moment.

mmengine's ``CheckpointHook`` deletes the oldest file before it writes the new one, in
place. Here a file is written and read back first, and the older ones go afterwards; two
at least are kept, so that a damaged newest file never is the only one.
"""

from math import ceil
from pathlib import Path
from typing import Any

import torch.distributed as torch_dist
from mmengine.dist import get_world_size, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook

from mmdetxfer.checkpoints.resumable import set_checkpoints_aside
from mmdetxfer.checkpoints.writing import remove_checkpoint, remove_unfinished
from mmdetxfer.errors import UserError
from mmdetxfer.registry import HOOKS
from mmdetxfer.text_files import write_text_atomically


class _LateRemoval(LocalBackend):
    """A file backend that remembers what to remove until the new file is there."""

    def __init__(self) -> None:
        super().__init__()
        self.to_remove: list[Path] = []

    def remove(self, filepath: str) -> None:
        """Note a file; it goes with :meth:`remove_now`."""
        self.to_remove.append(Path(filepath))

    def remove_now(self, kept: set[str]) -> None:
        """Remove what was noted, but for files that were written again since."""
        for path in self.to_remove:
            if str(path) not in kept:
                remove_checkpoint(path)
        self.to_remove.clear()


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that never leaves a training without a good checkpoint.

    In a config: ``default_hooks = dict(checkpoint=dict(type=
    'mmdetxfer.SafeCheckpointHook', interval=1, max_keep_ckpts=3))``, with the arguments
    of ``CheckpointHook``; ``mmdetxfer.ExactRunner`` puts it in place of mmengine's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of ``CheckpointHook``; 1 kept file becomes 2."""
        super().__init__(*args, **kwargs)
        if self.max_keep_ckpts == 1:
            self.max_keep_ckpts = 2

    def before_train(self, runner: Any) -> None:
        """Find the folder, clear half-written files, round the interval up."""
        super().before_train(runner)
        if not isinstance(self.file_backend, LocalBackend):
            raise UserError(
                f'checkpoints go to a local folder, not to {self.out_dir}: set '
                "the checkpoint hook's out_dir to a path"
            )
        self.file_backend = _LateRemoval()
        Path(self.out_dir).mkdir(parents=True, exist_ok=True)
        if is_main_process():
            for leftover in remove_unfinished(Path(self.out_dir)):
                runner.logger.info(
                    f'removed {leftover}, which a kill left half written'
                )
            if not runner._resume:
                self._set_former_training_aside(runner)
        self._round_interval_up(runner)

    def _set_former_training_aside(self, runner: Any) -> None:
        """Move a former training's files where no later resume takes them for ours."""
        aside = set_checkpoints_aside(Path(self.out_dir))
        if aside is not None:
            runner.logger.warning(
                f'this is a new training: the checkpoints of the former one in '
                f'{self.out_dir} are in {aside} now'
            )
            (Path(runner.work_dir) / 'last_checkpoint').unlink(missing_ok=True)

    def _round_interval_up(self, runner: Any) -> None:
        """Let iteration checkpoints fall where no gradient is waiting."""
        every = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if self.by_epoch or self.interval <= 0 or self.interval % every == 0:
            return
        rounded = every * ceil(self.interval / every)
        runner.logger.info(
            f'checkpoints every {rounded} iterations instead of {self.interval}: '
            f'gradients are accumulated over {every} iterations'
        )
        self.interval = rounded

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict) -> None:
        """Save first, delete older files afterwards."""
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.keep_ckpt_ids.maxlen:
                oldest = self.keep_ckpt_ids.popleft()
                name = self.filename_tmpl.format(oldest)
                self.file_backend.remove(str(Path(self.out_dir) / name))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = str(Path(self.out_dir) / name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        self._save(runner, name, meta, self.save_optimizer, self.save_param_scheduler)
        if is_main_process():
            self.file_backend.remove_now(self._files_in_use())
            pointer = Path(runner.work_dir) / 'last_checkpoint'
            write_text_atomically(pointer, self.last_ckpt)

    def _save_best_checkpoint(self, runner: Any, metrics: dict) -> None:
        """Let the former best file go only when the new one is there."""
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process():
            self.file_backend.remove_now(self._files_in_use())

    def _files_in_use(self) -> set[str]:
        best = {getattr(self, 'best_ckpt_path', None)}
        best |= set(getattr(self, 'best_ckpt_path_dict', {}).values())
        return {path for path in best | {self.last_ckpt} if path}

    def _save(
        self, runner: Any, name: str, meta: dict, optimizer: bool, scheduler: bool
    ) -> None:
        runner.rank_progress = gathered(runner.train_loop_progress())
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=optimizer,
            save_param_scheduler=scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            **self.args,
        )


def gathered(value: Any) -> list:
    """Return every rank's value, in the order of ranks (a collective call)."""
    world_size = get_world_size()
    if world_size == 1:
        return [value]
    values = [None] * world_size
    torch_dist.all_gather_object(values, value)
    return values
