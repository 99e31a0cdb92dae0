"""What does a detection stage add to the classifier of the same images? Cls -> Det.

The paper's chain Cls -> Det, one of the embedded candidates: the backbone is that of
configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py, the rest begins anew.

Command: python tools/train.py
configs/sniper/sniper_r18-c4c5-cls_1xb16-4e_world-imagenet-loc.py
Data and first stage: bash tools/embedded_candidates.sh
Expected: mAP by area at IoU 0.5 / 0.7 on val at one scale of 0.528 / 0.439 (seed 0);
from scratch it is 0.257 / 0.227.
"""

_base_ = './sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py'

load_from = 'work_dirs/embedded_candidates/cls/seed_0/epoch_21.pth'
custom_hooks = [
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
]
