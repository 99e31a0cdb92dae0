"""What do chips gain over whole images at equal cost? The chip twin's counterpart.

The same detector, schedule and scales, and as many megapixels (385, padding included):
each image whole at each of the three scales, with the host's own rules for proposals.
Two images make an update, which is 0.3 megapixels as with 16 chips.

Command: python tools/train.py configs/sniper/sniper_r18-c4c5_1xb1-whole_world-voc.py
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
Both, three seeds: python tools/benchmarks/chips_against_images.py
Expected: VOC mAP (eleven points) at IoU 0.5 / 0.7 of 0.095 / 0.062 at one scale, 0.084
/ 0.056 with --tta (means of seeds 0 to 2; the README has the comparison).
"""

_base_ = './sniper_r18-c4c5_1xb16-14e_world-voc.py'

max_iters = 2674

model = dict(
    # No chips: as little padding as the stride allows.
    data_preprocessor=dict(pad_size_divisor=16),
    roi_head=dict(num_places=300),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=2000, max_per_img=300),
        rcnn=dict(
            sampler=dict(
                _delete_=True,
                type='RandomSampler',
                num=256,
                pos_fraction=0.25,
                neg_pos_ub=-1,
                add_gt_as_proposals=True,
            ),
        ),
    ),
)

# The chips' scales.
sizes = [
    dict(scale_factor=2.0),
    dict(scale_factor=1.0),
    dict(scale=({{_base_.chip_px}}, {{_base_.chip_px}}), keep_ratio=True),
]
train_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='VOCDataset',
                data_root={{_base_.data_root}},
                ann_file='VOC2007/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root='VOC2007/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=0),
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadAnnotations', with_bbox=True),
                    dict(type='Resize', **size),
                    dict(type='RandomFlip', prob=0.5),
                    dict(type='PackDetInputs'),
                ],
            )
            for size in sizes
        ],
    ),
)
train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=max_iters,
)
optim_wrapper = dict(accumulative_counts=2)
# As the chips': 100 updates of warm-up, the step after 10.6 / 14 of the training.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=200),
    dict(type='MultiStepLR', by_epoch=False, milestones=[2025], gamma=0.1),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max_iters // 12))
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=1)
