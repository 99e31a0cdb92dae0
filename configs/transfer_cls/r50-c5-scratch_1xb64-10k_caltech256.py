"""How good is Caltech-256 from scratch, without any pre-training?

Twice the schedule of the transfers, as is usual; the equal one is --cfg-options
train_cfg.max_iters=5000 param_scheduler.0.T_max=5000, an entry of its own.

Command: python tools/train.py
configs/transfer_cls/r50-c5-scratch_1xb64-10k_caltech256.py
Expected: not measured here, nor by the paper.
"""

_base_ = './r50-c5_1xb64-5k_caltech256.py'

max_iters = 10000

model = dict(backbone=dict(init_cfg=None))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, T_max=max_iters)]
custom_hooks = []
