"""Which embedded candidate segments best on at most 150 images of another domain?

The small twin of deeplab_r101-dcn_8xb1-30k_voc12aug.py: the candidates' own backbone,
dilated, not deformable, a head of two 1x1 convolutions, VOC2012 with SBD. Batch norms
train, since what they saw has another palette. By default detection on chips, seed 0;
any candidate: --cfg-options load_from=PATH.

Command: python tools/train.py
configs/transfer_seg/deeplab_r18_1xb8-500i_world-voc.py
Data and candidates: bash tools/embedded_candidates.sh
Expected: mIoU of 0.160 from det (seeds 0 to 2: 0.132 0.179 0.169), 0.583 from cls
(0.566 0.592 0.591), and with a rate of 0.18 0.399 from Cls -> Det (0.304 0.429 0.465);
90 seconds on one of two busy cores.
"""

_base_ = [
    'mmseg::_base_/models/fcn_r50-d8.py',
    'mmseg::_base_/datasets/pascal_voc12_aug.py',
    'mmseg::_base_/default_runtime.py',
]

data_root = 'work_dirs/world_small/VOCdevkit/VOC2012'
num_classes = 21
max_iters = 500
crop_px = 192
norm_cfg = dict(type='BN', requires_grad=True)

load_from = 'work_dirs/embedded_candidates/det/seed_0/epoch_4.pth'
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(crop_px, crop_px)),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        contract_dilation=False,
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        in_channels=128,
        channels=128,
        num_convs=1,
        kernel_size=1,
        concat_input=False,
        dropout_ratio=0,
        norm_cfg=None,
        num_classes=num_classes,
    ),
    auxiliary_head=None,
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize', scale=(384, 384), ratio_range=(0.75, 1.5), keep_ratio=True
    ),
    dict(type='RandomCrop', crop_size=(crop_px, crop_px), cat_max_ratio=0.9),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        datasets=[
            dict(
                type='PascalVOCDataset',
                data_root=data_root,
                data_prefix=dict(img_path='JPEGImages', seg_map_path=labels),
                ann_file=f'ImageSets/Segmentation/{split}.txt',
                pipeline=train_pipeline,
            )
            for split, labels in (
                ('train', 'SegmentationClass'),
                ('aug', 'SegmentationClassAug'),
            )
        ],
    ),
)
val_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmdetxfer.TrimapMetric', widths=list(range(1, 13))),
]
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.06, momentum=0.9, weight_decay=0.0005),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='MultiStepLR', by_epoch=False, milestones=[350], gamma=0.1),
]
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=100),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
)
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
