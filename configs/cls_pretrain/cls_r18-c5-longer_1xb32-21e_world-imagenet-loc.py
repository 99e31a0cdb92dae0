"""Does classification gain by what a detection stage would have cost?

The control of Cls -> Det, one of the embedded candidates: does a detection stage help
by what it teaches, or would more training do as well? The same schedule again, from
the classifier's last weights, its head included.

Command: python tools/train.py
configs/cls_pretrain/cls_r18-c5-longer_1xb32-21e_world-imagenet-loc.py
Data and first stage: bash tools/embedded_candidates.sh
Expected: more than after the first stage: with a quarter of the rate, a top-1 accuracy
on val of 90.3 % after 87.5 (seed 0).
"""

_base_ = './cls_r18-c5_1xb32-21e_world-imagenet-loc.py'

load_from = 'work_dirs/embedded_candidates/cls/seed_0/epoch_21.pth'
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone', 'head'])]
