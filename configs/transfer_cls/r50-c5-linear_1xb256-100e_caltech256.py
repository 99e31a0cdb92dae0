"""How far does a linear layer get that SGD trains on a frozen candidate?

The baseline that everybody knows, in the way of mmpretrain's linear benchmarks: the
backbone frozen, statistics too, random crops and flips, 100 epochs of SGD without
weight decay. 10 and 1 epochs: --cfg-options train_cfg.max_epochs=10
param_scheduler.0.T_max=10. The receipt proves that the backbone is what it was.
tools/extract_features.py and mmdetxfer.probes get the same from one pass over the
images.

Command: python tools/train.py
configs/transfer_cls/r50-c5-linear_1xb256-100e_caltech256.py
Expected: not measured here. Published for the paper's own probe, top-1: 84.7
(ImageNet-Cls), 76.7 (OpenImages).
"""

_base_ = './r50-c5_1xb64-5k_caltech256.py'

max_epochs = 100

train_dataloader = dict(
    batch_size=256, sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True)
)
train_cfg = dict(
    _delete_=True, by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs
)
optim_wrapper = dict(optimizer=dict(lr=0.3, weight_decay=0.0, nesterov=False))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs)]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=True),
    checkpoint=dict(by_epoch=True, interval=10),
)
custom_hooks = [
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
    dict(type='mmdetxfer.FreezeHook', parts=['backbone']),
]
log_processor = dict(by_epoch=True)
