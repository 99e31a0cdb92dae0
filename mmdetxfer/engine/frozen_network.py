"""A network as a checkpoint left it, to be run and not trained."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.registry import MODELS
from mmengine.runner import load_checkpoint, set_random_seed
from torch import nn

from mmdetxfer.engine.fitting import blocks_too_many, examples, unfilled_tensors
from mmdetxfer.errors import UserError


def frozen_network(
    cfg: Any,
    checkpoint: str | None,
    seed: int = 0,
    is_needed: Callable[[str], bool] = lambda name: True,
) -> nn.Module:
    """Build the network of a config, load its weights, and put it on the device.

    Args:
        cfg: The config.
        checkpoint: Its weights; None leaves what it begins with, drawn with ``seed``.
        seed: Of the latter.
        is_needed: Which tensors have to be in the file.
    """
    settings = cfg.model.copy()
    if cfg.get('data_preprocessor') is not None:
        # As the Runner does: mmpretrain's and mmseg's configs have it beside the model.
        settings.setdefault('data_preprocessor', cfg.data_preprocessor)
    if checkpoint is None:
        set_random_seed(seed)
    elif settings.get('backbone'):
        settings.backbone.init_cfg = None
    model = MODELS.build(settings)
    if checkpoint is None:
        model.init_weights()
    else:
        content = load_checkpoint(model, checkpoint, map_location='cpu')
        unfilled = {
            name: why
            for name, why in unfilled_tensors(model, content).items()
            if is_needed(name)
        }
        beside = blocks_too_many(model, content)
        if unfilled or beside:
            what = examples(unfilled) if unfilled else f'it has {beside[0]} beside'
            raise UserError(
                f"{checkpoint}: expected the weights of the config's network, "
                f'{len(unfilled or beside)} tensors do not fit: {what}; name the '
                'config that it was trained with'
            )
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return model.to(device).eval()
