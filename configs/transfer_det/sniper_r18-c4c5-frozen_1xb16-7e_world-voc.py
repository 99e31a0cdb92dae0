"""How far does an embedded candidate get with its backbone frozen? The cheap protocol.

Command: python tools/train.py
configs/transfer_det/sniper_r18-c4c5-frozen_1xb16-7e_world-voc.py
Data and candidates: bash tools/embedded_candidates.sh
Test: python tools/test.py CONFIG CHECKPOINT --tta
Expected: AP50 / AP70 0.097 / 0.068 from det and 0.213 / 0.090 from cls (seed 0 alone).
"""

_base_ = './sniper_r18-c4c5_1xb16-7e_world-voc.py'

custom_hooks = [
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
    dict(type='mmdetxfer.FreezeHook', parts=['backbone']),
]
