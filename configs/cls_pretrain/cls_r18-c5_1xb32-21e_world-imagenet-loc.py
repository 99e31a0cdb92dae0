"""What does classifying the very images of the detection pre-training give?

One of the embedded candidates (tools/embedded_candidates.sh), from scratch. The
backbone is the detector's: stride 16, the last stage dilated. It costs what training
configs/sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py costs: a chip of 128 px is
120.3 million multiply-adds forward (backbone 69.9, 100 proposals 42.0, RPN 7.6, neck
0.8), an image here 69.9, so that 4 epochs of 4,978 chips are 21 of 1,600 images (2.40
and 2.35 million million).

Command: python tools/train.py
configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py
Data: python tools/make_world.py --out work_dirs/world_source --size 2000
--formats imagenet_loc
Expected: a top-1 accuracy on val of 87.0 % (seeds 0 to 2: 89.3 86.3 85.5; chance
7.1); 2.5 minutes on one of two busy cores.
"""

_base_ = [
    'mmpretrain::_base_/models/resnet18.py',
    'mmpretrain::_base_/datasets/imagenet_bs32.py',
    'mmpretrain::_base_/default_runtime.py',
]

data_root = 'work_dirs/world_source/ILSVRC/'
num_classes = 14
max_epochs = 21
image_px = 128

model = dict(
    backbone=dict(
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
    ),
    head=dict(in_channels=128, num_classes=num_classes),
)
data_preprocessor = dict(num_classes=num_classes)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    # A smaller crop could miss the object.
    dict(type='RandomResizedCrop', scale=image_px, crop_ratio_range=(0.25, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=image_px, edge='short'),
    dict(type='CenterCrop', crop_size=image_px),
    dict(type='PackInputs'),
]
images = dict(
    _delete_=True,
    type='mmdetxfer.ImageNetLocDataset',
    data_root=data_root,
    synsets='LOC_synset_mapping.txt',
)
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    dataset=dict(
        ann_file='Annotations/CLS-LOC/train',
        data_prefix=dict(img='Data/CLS-LOC/train'),
        pipeline=train_pipeline,
        **images,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        ann_file='Annotations/CLS-LOC/val',
        data_prefix=dict(img='Data/CLS-LOC/val'),
        pipeline=test_pipeline,
        **images,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(topk=(1,))
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
# Top-1 on val, seed 0, with 0.05, 0.1, 0.2, 0.4: 87.5 88.5 89.3 87.3 %.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=0.0001)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[16], gamma=0.1),
]
randomness = dict(seed=0)
