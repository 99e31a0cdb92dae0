"""How far does a linear layer get that SGD trains on a frozen embedded candidate?

The small twin of r50-c5-linear_1xb256-100e_caltech256.py: the backbone frozen, random
crops and flips, 100 epochs; 10 and 1: --cfg-options train_cfg.max_epochs=10
train_cfg.val_interval=10 param_scheduler.0.T_max=10. All of them at several rates,
beside our probe: python tools/benchmarks/sgd_probes.py.

Command: python tools/train.py
configs/transfer_cls/r18-c5-linear_1xb32-100e_world-caltech256.py
Candidates: bash tools/embedded_candidates.sh
Expected: from cls, seed 0, top-1 of 79.5 after 100 epochs, 74.0 after 10, 58.5 after
1; with the rate that is best on test, 3, 82.5, 76.5 and 69.5. Our probe: 79.0.
"""

_base_ = './r18-c5_1xb32-200i_world-caltech256.py'

max_epochs = 100

train_dataloader = dict(
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True)
)
train_cfg = dict(
    _delete_=True, by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs
)
optim_wrapper = dict(optimizer=dict(lr=0.3, weight_decay=0.0, nesterov=False))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs)]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=True),
    checkpoint=dict(by_epoch=True, interval=max_epochs),
)
custom_hooks = [
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
    dict(type='mmdetxfer.FreezeHook', parts=['backbone']),
]
log_processor = dict(by_epoch=True)
