"""How well does a Swin candidate transfer to segmentation, with UPerNet?

By default ImageNet classification (the host's weights); another candidate is
--cfg-options load_from=PATH, such as the detector of
configs/sniper/sniper_swin-t-c4c5_8xb16-7e_coco.py.

Command: bash tools/dist_train.sh
configs/transfer_seg/upernet_swin-t_8xb2-20k_voc12aug.py 8
Data: python tools/dataset_converters/voc_sbd.py data/VOCdevkit data/VOCdevkit/VOCaug
Expected: not measured here, nor by the paper.
"""

_base_ = [
    'mmseg::_base_/models/upernet_swin.py',
    'mmseg::_base_/datasets/pascal_voc12_aug.py',
    'mmseg::_base_/default_runtime.py',
    'mmseg::_base_/schedules/schedule_20k.py',
]

num_classes = 21
weights = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/swin/'
    'swin_tiny_patch4_window7_224_20220317-1cdeb081.pth'
)

model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(
        drop_path_rate=0.3,
        use_abs_pos_embed=False,
        init_cfg=dict(type='Pretrained', checkpoint=weights),
    ),
    decode_head=dict(num_classes=num_classes),
    auxiliary_head=dict(num_classes=num_classes),
)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.00006, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys={
            'relative_position_bias_table': dict(decay_mult=0.0),
            'norm': dict(decay_mult=0.0),
        }
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=1500, end=20000, by_epoch=False),
]
train_dataloader = dict(batch_size=2)
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmdetxfer.TrimapMetric'),
]
test_evaluator = val_evaluator
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
