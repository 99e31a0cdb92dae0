"""How far does a candidate get with its backbone frozen? The cheap protocol.

The receipt proves that the backbone is what it was, statistics included.

Command: bash tools/dist_train.sh
configs/transfer_seg/deeplab_r50-frozen_8xb1-30k_voc12aug.py 8
Expected: not measured here. A protocol that the paper does not have.
"""

_base_ = './deeplab_r50_8xb1-30k_voc12aug.py'

custom_hooks = [
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
    dict(type='mmdetxfer.FreezeHook', parts=['backbone']),
]
