"""How far does a candidate get with its backbone frozen? The cheap protocol.

Any candidate: --cfg-options load_from=PATH; by default ImageNet classification. The
receipt proves that the backbone is what it was, statistics included.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-frozen_8xb16-7e_voc0712.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. A protocol that the papers do not have.
"""

_base_ = './sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'

custom_hooks = [
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
    dict(type='mmdetxfer.FreezeHook', parts=['backbone']),
]
