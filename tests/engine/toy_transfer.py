"""Configs of transfers with the model of ``toy_parts``, and what they have written."""

import json

import torch
from toy_images import toy_config
from toy_parts import NAMES

HOOK = dict(
    type='mmdetxfer.TransferHook', keep=['backbone', 'head'], reinit=['head.fc_cls']
)


def config(images, folder, content=None, hook=HOOK, **model):
    """Train from a file with this content, if there is one."""
    cfg = toy_config(folder, images, NAMES)
    cfg.model = dict(type='ToyDetector', **model)
    cfg.input_convention = 'torchvision'
    cfg.custom_hooks = [hook]
    if content is not None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(content, folder / 'source.pth')
        cfg.load_from = str(folder / 'source.pth')
    return cfg


def receipt(folder):
    return json.loads((folder / 'transfer_receipt.json').read_text())


def counts(folder):
    return {name: part['tensors'] for name, part in receipt(folder)['parts'].items()}
