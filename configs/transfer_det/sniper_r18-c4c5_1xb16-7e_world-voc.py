"""Which embedded candidate detects best on 150 images of another domain?

The small twin of the VOC transfers here: the backbone of a candidate is kept, all heads
begin anew, SNIPER's three scales, 7 epochs with the step at the end of the fifth. Any
candidate: --cfg-options load_from=PATH; by default detection on chips, seed 0.

Command: python tools/train.py
configs/transfer_det/sniper_r18-c4c5_1xb16-7e_world-voc.py
Data and candidates: bash tools/embedded_candidates.sh
Test: python tools/test.py CONFIG CHECKPOINT --tta
All candidates, seeds and rates: configs/studies/embedded_longer.py
Expected: AP50 / AP70 0.190 / 0.149 from det at a rate of 0.06, means of seeds 0 to 2
(.191 .191 .187 / .152 .144 .152), 0.527 / 0.398 from Cls -> Det; README.md has all.
"""

_base_ = '../sniper/sniper_r18-c4c5_1xb16-14e_world-voc.py'

load_from = 'work_dirs/embedded_candidates/det/seed_0/epoch_4.pth'
max_epochs = 7

train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[5], gamma=0.1),
]
val_evaluator = dict(_delete_=True, type='mmdetxfer.VOCSweepMetric')
test_evaluator = val_evaluator
custom_hooks = [
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
]
