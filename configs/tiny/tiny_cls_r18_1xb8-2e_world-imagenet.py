"""Does classification train, validate and resume here? A small ResNet-18 in a minute.

Command: python tools/train.py configs/tiny/tiny_cls_r18_1xb8-2e_world-imagenet.py
Data: python tools/make_world.py --out work_dirs/world_tiny --size tiny --seed 0
Expected: a top-1 accuracy near chance (2 epochs); it shows that the machinery runs.
"""

_base_ = [
    'mmpretrain::_base_/models/resnet18.py',
    'mmpretrain::_base_/datasets/imagenet_bs32.py',
    'mmpretrain::_base_/default_runtime.py',
]

data_root = 'work_dirs/world_tiny/ILSVRC/Data/CLS-LOC'
max_epochs = 2

model = dict(
    backbone=dict(base_channels=16),
    head=dict(in_channels=128),
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=96),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=112, edge='short'),
    dict(type='CenterCrop', crop_size=96),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, split='val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001)
)
randomness = dict(seed=0)
