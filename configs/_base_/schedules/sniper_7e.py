"""SNIPER's schedule: 7 epochs of chips, one step at 5.33, for 128 chips a batch.

The original's rate of 0.015 is for the sum over 8 GPUs of losses that are means over 16
chips; for one mean over 128 it is 0.12.
"""

max_epochs = 7
base_lr = 0.12
warm_up_iters = 1000
# From 0.0005 of 0.015.
warm_up_share = 0.0005 / 0.015

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=7)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=base_lr, momentum=0.9, weight_decay=0.0001),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=warm_up_share,
        by_epoch=False,
        begin=0,
        end=warm_up_iters,
    ),
    dict(type='MultiStepLR', by_epoch=True, milestones=[5.33], gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=128)
