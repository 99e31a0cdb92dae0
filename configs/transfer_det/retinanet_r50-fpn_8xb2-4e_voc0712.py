"""How well does a candidate transfer to VOC with a one-stage detector, RetinaNet?

By default ImageNet classification; another candidate is --cfg-options load_from=PATH.
Data and schedule are the host's.

Command: bash tools/dist_train.sh
configs/transfer_det/retinanet_r50-fpn_8xb2-4e_voc0712.py 8
Expected: not measured here, nor by the papers.
"""

_base_ = 'mmdet::pascal_voc/retinanet_r50_fpn_1x_voc0712.py'

val_evaluator = dict(_delete_=True, type='mmdetxfer.VOCSweepMetric')
test_evaluator = val_evaluator
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
