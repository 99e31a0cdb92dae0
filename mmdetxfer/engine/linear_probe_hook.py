"""Linear probes of a network's layers while it trains, beside its own validation."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import IterBasedTrainLoop
from torch import nn

from mmdetxfer.engine.frozen_features import requests_for
from mmdetxfer.engine.probe_images import ProbeImages, probe_evaluator, probed
from mmdetxfer.engine.random_state import kept_random_state
from mmdetxfer.errors import UserError
from mmdetxfer.registry import HOOKS


@HOOKS.register_module()
class LinearProbeHook(Hook):
    """Scores layers every so many epochs or iterations, and after the last.

    The training is what it were without, to the bit: probes have loaders of their own,
    and random states, modes and statistics are put back. Of a model with averaged
    weights these are probed. In a config of any host::

        custom_hooks = [
            dict(
                type='mmdetxfer.LinearProbeHook',
                train_dataloader=dict(batch_size=32, dataset=...),
                test_dataloader=dict(batch_size=32, dataset=...),
                layers=['Conv4', 'Conv5:1,2', 'FC1'],
            )
        ]

    Args:
        train_dataloader: Of the images that probes learn from.
        test_dataloader: Of the images that they are scored on.
        layers: Names, each with poolings of its own or without.
        pooling: Poolings of those without.
        evaluator: Config of a ``LinearProbeEvaluator``.
        interval: Epochs or iterations.
        by_epoch: Which of the two.
        scope: In which the data sets are built.
    """

    # After the averaging of weights, before a checkpoint is saved.
    priority = 'LOW'

    def __init__(
        self,
        train_dataloader: Mapping,
        test_dataloader: Mapping,
        layers: Sequence[str] = ('Conv5',),
        pooling: Sequence[int | str] = (1,),
        evaluator: Mapping | None = None,
        interval: int = 1,
        by_epoch: bool = True,
        scope: str = 'mmpretrain',
    ) -> None:
        """Take the settings."""
        if interval < 1:
            raise UserError(
                f'LinearProbeHook: expected interval from 1, got {interval}'
            )
        self.loaders = dict(train=train_dataloader, test=test_dataloader)
        self.layers, self.pooling, self.scope = tuple(layers), tuple(pooling), scope
        self.settings = {} if evaluator is None else evaluator
        self.interval, self.by_epoch = interval, by_epoch

    def before_train(self, runner: Any) -> None:
        """Build the data sets: what is wrong with them is said before the training."""
        with kept_random_state():
            self.images = {
                part: ProbeImages(loader, self.scope)
                for part, loader in self.loaders.items()
            }
            self.evaluator = probe_evaluator(self.settings, self.images)
        from mmdetxfer.models.named_layers import NamedLayers

        layers = NamedLayers(_unwrapped(runner.model))
        requests_for(layers, self.layers, self.pooling, runner.logger.info)
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise UserError(
                'LinearProbeHook: expected by_epoch=False in a training by iterations'
            )

    def after_train_epoch(self, runner: Any) -> None:
        """Probe at the end of every so manyth epoch."""
        is_due = self.every_n_epochs(runner, self.interval)
        if self.by_epoch and (is_due or self.is_last_train_epoch(runner)):
            self._probe(runner, runner.epoch + 1)

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        """Probe after every so manyth iteration."""
        is_due = self.every_n_train_iters(runner, self.interval)
        if not self.by_epoch and (is_due or self.is_last_train_iter(runner)):
            self._probe(runner, runner.iter + 1)

    def _probe(self, runner: Any, step: int) -> None:
        model = _unwrapped(runner.model)
        averaging = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
        settings = (self.images, self.layers, self.pooling, self.evaluator)
        when = f'{"epoch" if self.by_epoch else "iteration"} {step}'
        with kept_random_state():
            for hook in averaging:
                hook.before_val_epoch(runner)
            try:
                scores = probed(model, *settings, runner.logger.info)
            except UserError as error:
                # The same on all ranks. Features of an early network may all be 0;
                # the training goes on.
                runner.logger.warning(f'no linear probe, {when}: {error}')
                return
            finally:
                for hook in averaging:
                    hook.after_val_epoch(runner)
        words = (
            f'{name.removeprefix("probe/")} {value:.4f}'
            for name, value in scores.items()
            if name.endswith('_top1')
        )
        runner.logger.info(f'linear probe, {when}: {", ".join(words)}')
        if is_main_process():
            runner.visualizer.add_scalars(scores, step=step)


def _unwrapped(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model
