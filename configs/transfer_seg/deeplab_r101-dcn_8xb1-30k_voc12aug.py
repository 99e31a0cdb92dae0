"""How well does a candidate transfer to segmentation, as Deformable ConvNets' DeepLab?

The setting of Dai et al. 2017, which Li et al. 2019 take: VOC2012 with SBD, the shorter
side 360, ResNet-101 with a dilated, deformable last stage at stride 16, frozen batch
norms and first stage, and a head of two 1x1 convolutions. Offsets come from an
undilated convolution, are 0 at first, and their bias learns twice as fast. By default
ImageNet classification, of which the receipt lists the offsets as left as initialised;
another candidate is --cfg-options load_from=PATH, whose backbone is a ResNet-101.

The paper's schedule is this one: 1e-3 for 20,000 iterations, then 1e-4 for 10,000. The
released code's: optim_wrapper.optimizer.lr=5e-4 train_cfg.max_iters=31700
param_scheduler.0.milestones=[21200].

Command: bash tools/dist_train.sh
configs/transfer_seg/deeplab_r101-dcn_8xb1-30k_voc12aug.py 8
Data: python tools/dataset_converters/voc_sbd.py data/VOCdevkit data/VOCdevkit/VOCaug
One GPU: --cfg-options optim_wrapper.accumulative_counts=8 train_cfg.max_iters=240000
train_cfg.val_interval=80000 param_scheduler.0.milestones=[160000]
Expected: not measured here. Published for a pre-activation ResNet-101, scored at the
resized size: mIoU 75.2 (DCNv1), 75.7 (ImageNet classification), 78.3 (ImageNet-Loc),
78.6 (OpenImages).
"""

_base_ = [
    'mmseg::_base_/models/fcn_r50-d8.py',
    'mmseg::_base_/datasets/pascal_voc12_aug.py',
    'mmseg::_base_/default_runtime.py',
]

data_root = 'data/VOCdevkit/VOC2012'
num_classes = 21
stride = 16
scale = (600, 360)
max_iters = 30000
norm_cfg = dict(type='BN', requires_grad=False)

model = dict(
    pretrained=None,
    data_preprocessor=dict(size_divisor=stride),
    backbone=dict(
        type='ResNet',
        depth=101,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        contract_dilation=False,
        frozen_stages=1,
        norm_cfg=norm_cfg,
        norm_eval=True,
        dcn=dict(
            type='mmdetxfer.UndilatedOffsetDeformConv',
            deform_groups=1,
            fallback_on_stride=False,
        ),
        stage_with_dcn=(False, False, False, True),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'),
    ),
    decode_head=dict(
        channels=1024,
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
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=1,
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
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmdetxfer.TrimapMetric'),
]
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=0.0005),
    paramwise_cfg=dict(custom_keys={'conv_offset.bias': dict(lr_mult=2)}),
)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=False, milestones=[20000], gamma=0.1)
]
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=10000),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
)
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
