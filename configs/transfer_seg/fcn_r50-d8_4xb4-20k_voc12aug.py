"""How well does a ResNet-50 candidate transfer with today's usual head? fcn.

MMSegmentation's config with a plain ResNet in the place of its variant with three
convolutions at the beginning, which candidates of other hosts do not have. By default
ImageNet classification; another candidate is --cfg-options load_from=PATH.

Command: bash tools/dist_train.sh
configs/transfer_seg/fcn_r50-d8_4xb4-20k_voc12aug.py 4
Data: python tools/dataset_converters/voc_sbd.py data/VOCdevkit data/VOCdevkit/VOCaug
Expected: not measured here, nor by the paper.
"""

_base_ = 'mmseg::fcn/fcn_r50-d8_4xb4-20k_voc12aug-512x512.py'

model = dict(
    pretrained=None,
    backbone=dict(
        type='ResNet',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
)
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmdetxfer.TrimapMetric'),
]
test_evaluator = val_evaluator
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
