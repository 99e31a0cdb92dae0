"""A model with the parts of a detector, for transfers.

A backbone (two layers of 1 to 4 and 4 to 4 weights, each with a batch norm), a neck and
a head of as many outputs as there are classes.
"""

import torch
from mmengine.model import BaseModel, BaseModule, Sequential
from mmengine.registry import MODELS
from torch import nn

NAMES = ' '.join(f'good{k}' for k in range(8))


@MODELS.register_module(force=True)
class ToyBackboneOfTwo(Sequential):
    """Two linear layers with batch norms."""

    def __init__(self, width=4, init_cfg=None):
        layers = [nn.Linear(1, width), nn.BatchNorm1d(width)]
        layers += [nn.Linear(width, 4), nn.BatchNorm1d(4)]
        super().__init__(*layers, init_cfg=init_cfg)


class ToyHead(BaseModule):
    def __init__(self, num_classes):
        super().__init__()
        self.fc_reg = nn.Linear(4, 2)
        self.fc_cls = nn.Linear(4, num_classes)


@MODELS.register_module(force=True)
class ToyDetector(BaseModel):
    """Parts of a detector, and a loss of all of them."""

    def __init__(self, num_classes=3, backbone=None, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        settings = {'type': 'ToyBackboneOfTwo', **(backbone or {})}
        self.backbone = MODELS.build(settings)
        self.neck = nn.Linear(4, 4)
        self.head = ToyHead(num_classes)

    def forward(self, inputs, data_samples=None, mode='loss'):
        x = self.neck(self.backbone(torch.stack(inputs)))
        if mode != 'loss':
            return data_samples
        x = torch.cat([self.head.fc_cls(x), self.head.fc_reg(x)], dim=1)
        return dict(loss=(x - 1).square().mean())
