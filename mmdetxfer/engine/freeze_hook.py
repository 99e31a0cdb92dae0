"""Freezes named parts of any host's model: no gradients, no moving statistics."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from torch import nn

from mmdetxfer.errors import UserError
from mmdetxfer.registry import HOOKS


@HOOKS.register_module()
class FreezeHook(Hook):
    """Keeps the weights and statistics of parts as they are when training begins.

    In a config: ``custom_hooks = [dict(type='mmdetxfer.FreezeHook',
    parts=['backbone'])]``. Parts are dotted names of modules. A model that was wrapped
    for several ranks before gradients were switched off is wrapped again. The loops
    switch to training mode now and then, so that the parts are put back before every
    iteration.

    Args:
        parts: Names of modules, such as ``backbone`` or ``backbone.layer1``.
    """

    # Ahead of what copies or wraps the model.
    priority = 'VERY_HIGH'

    def __init__(self, parts: Sequence[str]) -> None:
        """Take the names."""
        if isinstance(parts, str) or not parts:
            raise UserError(f'FreezeHook: expected a list of parts, got {parts!r}')
        self.parts = tuple(parts)

    def before_run(self, runner: Any) -> None:
        """Switch gradients off, in trainings."""
        # A test's model may be wrapped in what this hook knows nothing of.
        if not isinstance(runner._train_loop, BaseLoop):
            return
        model = _unwrapped(runner.model)
        num_frozen = 0
        for module in self.modules(model):
            for parameter in module.parameters():
                parameter.requires_grad = False
                num_frozen += parameter.numel()
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise UserError(
                f'FreezeHook: nothing is left to train without {", ".join(self.parts)}'
            )
        if is_model_wrapper(runner.model):
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        runner.logger.info(f'frozen: {", ".join(self.parts)} ({num_frozen:,} weights)')

    def before_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        """Keep statistics of norms and dropout of the parts switched off."""
        for module in self.modules(_unwrapped(runner.model)):
            module.eval()

    def modules(self, model: nn.Module) -> Iterator[nn.Module]:
        """Yield the parts of a model."""
        for part in self.parts:
            try:
                yield model.get_submodule(part)
            except AttributeError as error:
                names = ', '.join(name for name, _ in model.named_children())
                raise UserError(
                    f'FreezeHook: expected parts of the model ({names}), got {part!r}'
                ) from error


def frozen_by_config(model: nn.Module) -> list[str]:
    """Return the uppermost modules none of whose weights are trained."""
    found = []
    for name, module in model.named_modules():
        is_below = any(name.startswith(f'{one}.') for one in found)
        parameters = list(module.parameters())
        if name and not is_below and parameters:
            if not any(parameter.requires_grad for parameter in parameters):
                found.append(name)
    return found


def _unwrapped(model: nn.Module) -> nn.Module:
    return model.module if is_model_wrapper(model) else model
