"""A network as a checkpoint left it, to be run and not trained."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.registry import MODELS
from mmengine.runner import load_checkpoint, set_random_seed
from torch import nn

from mmdetxfer.errors import UserError


def frozen_network(
    cfg: Any,
    checkpoint: str | None,
    seed: int = 0,
    is_needed: Callable[[str], bool] = lambda name: True,
    renamed: Callable[[str], str] = lambda name: name,
) -> nn.Module:
    """Build the network of a config, load its weights, and put it on the device.

    Args:
        cfg: The config.
        checkpoint: Its weights; None leaves what it begins with, drawn with ``seed``.
        seed: Of the latter.
        is_needed: Which tensors have to be in the file.
        renamed: Under which name a tensor counts as being there.
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
        state = content.get('state_dict', content)
        names = {renamed(name.removeprefix('module.')) for name in state}
        missing = [
            name
            for name in model.state_dict()
            if is_needed(name)
            and not name.endswith('num_batches_tracked')
            and renamed(name) not in names
        ]
        if missing:
            raise UserError(
                f"{checkpoint}: expected the weights of the config's network, "
                f'{len(missing)} tensors are missing, first {missing[0]}; name the '
                'config that it was trained with'
            )
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return model.to(device).eval()
