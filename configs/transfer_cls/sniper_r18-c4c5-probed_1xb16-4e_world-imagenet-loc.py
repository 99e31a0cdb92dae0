"""At which layers does a detector lose classification, while it trains?

The embedded detector of configs/sniper, whose layers are probed after every epoch on
one-object images of another domain, beside its own validation; its training is to the
bit what it is without. A checkpoint's layers alone, of any detector: tools/test.py with
this config. What the layers are called: mmdetxfer/models/named_layers.py.

Command: python tools/train.py
configs/transfer_cls/sniper_r18-c4c5-probed_1xb16-4e_world-imagenet-loc.py
Data: bash tools/embedded_candidates.sh
Expected: top-1 on 200 images of Caltech-256 after 1, 2, 3 and 4 epochs, seed 0: pooled
Conv5 21.5, 32.5, 37.5 and 36.5, ConvProj 14.5, 24.0, 24.5 and 32.0, FC1 9.0, 14.0, 19.0
and 26.0, FC2 12.0, 16.5, 20.0 and 24.5 (chance 10); 10 minutes on one busy core.
"""

_base_ = '../sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py'

image_px = 128
layers = ['Conv2', 'Conv3', 'Conv4', 'Conv5:1,2,4', 'ConvProj:1,2,4', 'FC1', 'FC2']

_images = dict(
    type='mmdetxfer.Caltech256Dataset',
    data_root='work_dirs/world_small/Caltech256/256_ObjectCategories',
    num_train=20,
    num_expected=None,
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='ResizeEdge', scale=image_px, edge='short'),
        dict(type='CenterCrop', crop_size=image_px),
        dict(type='PackInputs'),
    ],
)
probe_learns_from = dict(
    batch_size=32, num_workers=1, dataset=dict(split='train', **_images)
)
probe_is_scored_on = dict(
    batch_size=32, num_workers=1, dataset=dict(split='test', **_images)
)

custom_hooks = [
    # As in the base.
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(
        type='mmdetxfer.LinearProbeHook',
        train_dataloader=probe_learns_from,
        test_dataloader=probe_is_scored_on,
        layers=layers,
    ),
]
test_dataloader = dict(_delete_=True, **probe_is_scored_on)
test_evaluator = dict(_delete_=True, type='mmdetxfer.LinearProbeEvaluator')
test_cfg = dict(
    type='mmdetxfer.LinearProbeLoop', train_dataloader=probe_learns_from, layers=layers
)
