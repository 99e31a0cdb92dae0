"""How well does a ResNet-50 candidate transfer to classifying the scenes of SUN-397?

As r50-c5_1xb64-5k_caltech256.py, on the first official split: 50 images a class to
learn from and 50 to test. Some of its .jpg files are none, so that Pillow decodes them.

Command: python tools/train.py configs/transfer_cls/r50-c5_1xb64-5k_sun397.py
Expected: not measured here. Published, all fine-tuned, top-1: 61.5 (ImageNet-Cls), 58.3
(ImageNet-Loc), 57.8 (COCO), 59.5 (OpenImages), of a pre-activation, deformable
ResNet-101.
"""

_base_ = './r50-c5_1xb64-5k_caltech256.py'

data_root = 'data/SUN397'
num_classes = 397

data_preprocessor = dict(num_classes=num_classes)
model = dict(head=dict(num_classes=num_classes))

train_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(
        num_expected=19850,
        dataset=dict(
            _delete_=True,
            type='SUN397',
            data_root=data_root,
            split='train',
            pipeline=train_pipeline,
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        num_expected=19850,
        dataset=dict(
            _delete_=True,
            type='SUN397',
            data_root=data_root,
            split='test',
            pipeline=test_pipeline,
        ),
    )
)
test_dataloader = val_dataloader
