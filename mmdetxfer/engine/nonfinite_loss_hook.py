"""Stops a training at the first loss that is no number, and writes down how it came.

The loss is looked at between the forward and the backward pass of every iteration, so
that the weights are still good. With mixed precision it is the unscaled loss, whose
overflowing gradients are the scaler's business and no reason to stop. All ranks agree
before any goes on: a rank that stopped alone would leave the others waiting.
"""

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmdetxfer.engine.random_state import random_state
from mmdetxfer.errors import NonfiniteLossError
from mmdetxfer.registry import HOOKS


@HOOKS.register_module()
class NonfiniteLossHook(Hook):
    """Raises at the first loss that is nan or infinite, before the weights change.

    Into the work_dir it writes ``nonfinite_loss_iter_N_rank_R.json`` with the batch's
    images, the loss's parts and the place in the stream, and a ``.pt`` of the same name
    with the random state before the iteration. In a config:
    ``custom_hooks = [dict(type='mmdetxfer.NonfiniteLossHook')]``;
    ``mmdetxfer.ExactRunner`` adds it to every training.
    """

    # The last to see the random state before the forward pass.
    priority = 'LOWEST'

    def before_train(self, runner: Any) -> None:
        """Look at every loss that the model parses."""
        model = _unwrapped(runner.model)
        if hasattr(model, 'parse_losses'):
            # An attribute of the object, which hides the method of its class.
            model.parse_losses = partial(self._parse, runner, model.parse_losses)

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Keep what a report would need."""
        self._batch_idx, self._batch = batch_idx, data_batch
        self._random_state = random_state()
        self._is_checked = False

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the loss of a model that does not parse its losses itself."""
        if not self._is_checked and 'loss' in (outputs or {}):
            self._check(runner, outputs['loss'], outputs)
        self._batch = None

    def after_train(self, runner: Any) -> None:
        """Leave the model as it was."""
        vars(_unwrapped(runner.model)).pop('parse_losses', None)

    def _parse(self, runner: Any, parse_losses: Any, losses: dict) -> tuple:
        loss, log_vars = parse_losses(losses)
        self._check(runner, loss, losses)
        self._is_checked = True
        return loss, log_vars

    def _check(self, runner: Any, loss: Any, parts: dict) -> None:
        """Raise on all ranks if the loss of any is not finite (a collective call)."""
        loss = torch.as_tensor(loss).detach()
        is_bad = ~torch.isfinite(loss).all()
        bad_rank = is_bad.to(torch.int64) * (get_rank() + 1)
        if get_world_size() > 1:
            all_reduce(bad_rank, op='max')
        bad_rank = int(bad_rank) - 1
        if bad_rank < 0:
            return
        iteration = runner.iter + 1
        said = f'a non-finite loss at iteration {iteration} of rank {bad_rank}'
        if is_bad:
            said = f'the loss is {float(loss.sum())} at iteration {iteration}'
            bad_rank = get_rank()
        file = Path(
            runner.work_dir, f'nonfinite_loss_iter_{iteration}_rank_{bad_rank}.json'
        )
        if is_bad:
            self._write(runner, file, loss, parts)
        # No rank ends the others before they have written.
        barrier()
        raise NonfiniteLossError(
            f'{said}: its images, loss parts and random state are in {file}; look at '
            'these images and their boxes, lower the learning rate or clip gradients'
        )

    def _write(self, runner: Any, file: Path, loss: torch.Tensor, parts: dict) -> None:
        state_file = file.with_suffix('.pt')
        batch_size = getattr(runner.train_dataloader.batch_sampler, 'batch_size', None)
        report = {
            'iteration': runner.iter + 1,
            'epoch': runner.epoch + 1,
            'rank': get_rank(),
            'seed': runner.seed,
            'position': self._batch_idx * (batch_size or 1),
            'loss': _plain(loss),
            'loss_parts': {name: _plain(value) for name, value in parts.items()},
            'learning_rates': runner.optim_wrapper.get_lr(),
            'images': list(_images_in(self._batch)),
            'random_state_before': state_file.name,
        }
        try:
            file.write_text(json.dumps(report, indent=1) + '\n')
            torch.save(self._random_state, state_file)
        # torch reports a full disk as RuntimeError.
        except (OSError, RuntimeError) as error:
            # Raising here would leave the other ranks waiting.
            runner.logger.error(f'{file} could not be written: {error}\n{report}')


def _unwrapped(model: Any) -> Any:
    return model.module if is_model_wrapper(model) else model


def _plain(value: Any) -> Any:
    """Return floats, and those that JSON does not know as text."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    number = float(torch.as_tensor(value).detach().float().mean())
    return number if math.isfinite(number) else str(number)


def _images_in(batch: Any) -> Iterator[dict]:
    """Yield what the samples of a batch, however nested, say about their images."""
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        for part in batch:
            yield from _images_in(part)
    elif hasattr(batch, 'metainfo'):
        names = ('img_id', 'img_path', 'sample_idx', 'ori_shape', 'img_shape')
        known = {name: batch.metainfo[name] for name in names if name in batch.metainfo}
        yield {k: v if isinstance(v, (int, str)) else str(v) for k, v in known.items()}
