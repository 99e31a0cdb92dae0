"""Does classification gain by what a detection stage would have cost?

The control of Cls -> Det, one of the embedded candidates: does a detection stage help
by what it teaches, or would more training do as well? The same schedule again, from
the classifier's last weights, its head included.

Command: python tools/train.py
configs/cls_pretrain/cls_r18-c5-longer_1xb32-21e_world-imagenet-loc.py
Data and first stage: bash tools/embedded_candidates.sh
Expected: a top-1 accuracy on val of 93.0 % (seed 0); after the first stage 89.3.
"""

_base_ = './cls_r18-c5_1xb32-21e_world-imagenet-loc.py'

load_from = 'work_dirs/embedded_candidates/cls/seed_0/epoch_21.pth'
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone', 'head'])]
