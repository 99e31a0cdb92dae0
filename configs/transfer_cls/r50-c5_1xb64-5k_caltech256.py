"""How well does a ResNet-50 candidate transfer to classifying Caltech-256?

Fine-tuning (Li et al. 2019, Tables 7 and 8): the backbone of a candidate is kept, the
classifier begins anew. By default ImageNet classification; another candidate, a
detector's too, is --cfg-options load_from=PATH model.backbone.init_cfg=None. The last
stage is dilated at stride 16, as the detectors have it, so that all candidates' maps
are compared at one stride. 60 images a class, the rest for the test: the package's own
split, since there is no official one.

5,000 iterations of 64 with cosine decay and Nesterov momentum, as is usual for
comparisons of pre-trainings; the paper does not tell its own. The long option of
Kornblith et al. 2019: --cfg-options train_dataloader.batch_size=256
train_cfg.max_iters=20000 param_scheduler.0.T_max=20000. Rates and weight decays are
tried on a held-out part of the training images.

Command: python tools/train.py configs/transfer_cls/r50-c5_1xb64-5k_caltech256.py
Expected: not measured here. Published, all fine-tuned, top-1: 86.3 (ImageNet-Cls), 85.8
(the images of ImageNet-Loc without boxes), 82.3 (ImageNet-Loc), 79.8 (COCO), 82.2
(OpenImages), of a pre-activation, deformable ResNet-101.
"""

_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    'mmpretrain::_base_/default_runtime.py',
]

data_root = 'data/caltech256/256_ObjectCategories'
num_classes = 256
max_iters = 5000

data_preprocessor = dict(
    num_classes=num_classes,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
model = dict(
    backbone=dict(
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    head=dict(num_classes=num_classes, topk=(1,)),
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmdetxfer.WholeDataset',
        dataset=dict(
            type='mmdetxfer.Caltech256Dataset',
            data_root=data_root,
            split='train',
            pipeline=train_pipeline,
        ),
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmdetxfer.WholeDataset',
        dataset=dict(
            type='mmdetxfer.Caltech256Dataset',
            data_root=data_root,
            split='test',
            pipeline=test_pipeline,
        ),
    ),
)
test_dataloader = val_dataloader
# Top-1, and as its recall the mean of the classes.
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='SingleLabelMetric', items=['recall']),
]
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(
        type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001, nesterov=True
    )
)
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, T_max=max_iters)]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=1000),
)
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
