"""What does detection pre-training from scratch give, on the embedded ImageNet-Loc?

One of the embedded candidates (tools/embedded_candidates.sh); its counterpart that
classifies the very same images is
configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py. As in ImageNet-Loc's
config there are no negative chips, and one class an image; but two scales, as for
OpenImages, since at the coarse one alone textures of 6 pixels would be under 3.

Command: python tools/train.py
configs/sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py
Data: python tools/make_world.py --out work_dirs/world_source --size 2000
--formats imagenet_loc
Expected: mAP by area at IoU 0.5 / 0.7 on val at one scale of 0.243 / 0.211 (seeds
0 to 2: 0.257 0.219 0.251 / 0.227 0.178 0.229); 8 minutes on one of two busy cores.
"""

_base_ = './sniper_r18-c4c5_1xb16-14e_world-voc.py'

data_root = 'work_dirs/world_source/ILSVRC/'
synsets = 'LOC_synset_mapping.txt'
num_classes = 14
max_epochs = 4
chip_px = 128

model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes)))

plan = dict(
    scales=[1.0, (-1, chip_px)],
    valid_ranges=[(-1, 80), (60, -1)],
    test_ranges=[(-1, 90), (45, -1)],
)
test_scales = [(384, 384), (chip_px, chip_px)]
boxes = dict(type='mmdetxfer.ImageNetLocDataset', data_root=data_root, synsets=synsets)
train_dataloader = dict(
    dataset=dict(
        plan=plan,
        dataset=dict(
            _delete_=True,
            ann_file='Annotations/CLS-LOC/train',
            data_prefix=dict(img='Data/CLS-LOC/train'),
            **boxes,
        ),
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        ann_file='Annotations/CLS-LOC/val',
        data_prefix=dict(img='Data/CLS-LOC/val'),
        test_mode=True,
        pipeline=[
            {{_base_.load}},
            dict(type='Resize', scale=test_scales[0], keep_ratio=True),
            {{_base_.annotate}},
            {{_base_.pack}},
        ],
        **boxes,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='mmdetxfer.VOCSweepMetric', iou_thresholds=[0.5, 0.7]
)
test_evaluator = val_evaluator

tta_model = dict(plan=plan)
tta_pipeline = [
    {{_base_.load}},
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=scale, keep_ratio=True)
                for scale in test_scales
            ],
            [{{_base_.annotate}}],
            [{{_base_.pack}}],
        ],
    ),
]

train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
# On val, seed 0, mAP at IoU 0.5 with 0.03, 0.06, 0.12, 0.24: 0.186 0.237 0.257 0.223.
optim_wrapper = dict(optimizer=dict(lr=0.12))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', by_epoch=True, milestones=[3], gamma=0.1),
]
