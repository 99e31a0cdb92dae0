"""How well does a candidate transfer to VOC with an ordinary Faster R-CNN FPN?

The pattern for your own detector: a config of the host by name, the backbone kept, all
else anew, proven by the receipt. By default ImageNet classification; another candidate
is --cfg-options load_from=PATH. Data and schedule are the host's: 4 epochs of a set
repeated 3 times, boxes under 32 px ignored.

Command: bash tools/dist_train.sh
configs/transfer_det/faster-rcnn_r50-fpn_8xb2-4e_voc0712.py 8
Expected: not measured here, nor by the papers.
"""

_base_ = 'mmdet::pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py'

val_evaluator = dict(_delete_=True, type='mmdetxfer.VOCSweepMetric')
test_evaluator = val_evaluator
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
