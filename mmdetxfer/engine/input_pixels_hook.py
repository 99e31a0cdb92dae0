"""Counts what a training cost in pixels: those that the backbone saw, padding included.

Trainings on chips, whole images and low resolutions differ in what an epoch costs. They
compare at equal megapixels.
"""

import json
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmdetxfer.errors import UserError
from mmdetxfer.registry import HOOKS
from mmdetxfer.text_files import write_text_atomically

RECORD = 'input_pixels.json'
_KEY = 'input_pixels'


@HOOKS.register_module()
class InputPixelsHook(Hook):
    """Counts the pixels of a training and writes ``input_pixels.json`` at its end.

    In a config: ``custom_hooks = [dict(type='mmdetxfer.InputPixelsHook')]``. The count
    travels with the checkpoints, so that a resumed training goes on counting. Several
    ranks are taken to see as much as the first.
    """

    def before_train(self, runner: Any) -> None:
        """Look at what comes into the backbone; take up the count of a checkpoint."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        backbone = getattr(model, 'backbone', None)
        if not isinstance(backbone, nn.Module):
            raise UserError(
                'InputPixelsHook: expected a model with a backbone, got '
                f'{type(model).__name__}, which has none'
            )
        self._model = model
        self.num_pixels = runner.message_hub.get_info(_KEY, 0)
        self._handle = backbone.register_forward_pre_hook(self._count)

    def _count(self, backbone: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # A frozen backbone is in evaluation mode while the model trains.
        if self._model.training:
            images = inputs[0]
            pixels = images.shape[0] * images.shape[-2] * images.shape[-1]
            self.num_pixels += pixels * get_world_size()

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        """Put the count where checkpoints are made of."""
        runner.message_hub.update_info(_KEY, self.num_pixels)

    def after_train(self, runner: Any) -> None:
        """Say the count and write it down."""
        self._handle.remove()
        megapixels = self.num_pixels / 1e6
        record = {'megapixels': megapixels, 'iterations': runner.iter}
        runner.logger.info(f'input: {megapixels:,.1f} megapixels')
        if runner.rank == 0:
            path = Path(runner.work_dir) / RECORD
            write_text_atomically(path, json.dumps(record) + '\n')
