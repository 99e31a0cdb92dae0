"""How far does an embedded candidate get with its backbone frozen? The cheap protocol.

Command: python tools/train.py
configs/transfer_det/sniper_r18-c4c5-frozen_1xb16-7e_world-voc.py
Data and candidates: bash tools/embedded_candidates.sh
Test: python tools/test.py CONFIG CHECKPOINT --tta
Expected: not measured yet; tools/benchmarks/embedded_transfer.py measures it.
"""

_base_ = './sniper_r18-c4c5_1xb16-7e_world-voc.py'

custom_hooks = [
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
    dict(type='mmdetxfer.FreezeHook', parts=['backbone']),
]
