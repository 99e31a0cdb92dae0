"""How good is a detector on VOC, from ImageNet classification and chips of VOC07+12?

SNIPER's recipe for VOC, which is COCO's with other scales; difficult boxes are ignored
in training, where the original drops them and so makes them background.

Command: bash tools/dist_train.sh configs/sniper/sniper_r50-c4c5_8xb16-7e_voc0712.py 8
With fewer GPUs add --auto-scale-lr; --amp trains in half precision.
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for a pre-activation, deformable ResNet-101 from
ImageNet classification: VOC07 test mAP 84.6 at IoU 0.5 and 76.3 at 0.7.
"""

_base_ = [
    '../_base_/models/sniper_r50-c4c5.py',
    '../_base_/sniper_pipelines.py',
    '../_base_/schedules/sniper_7e.py',
    'mmdet::_base_/datasets/voc0712.py',
    'mmdet::_base_/default_runtime.py',
]

data_root = 'data/VOCdevkit/'
scales = [(1400, 2000), (800, 1280), (-1, 512)]
valid_ranges = [(-1, 80), (32, 150), (120, -1)]
test_scales = [(2000, 1400), (1280, 800), (512, 480)]
test_ranges = [(-1, 90), (32, 180), (75, -1)]

norm_cfg = dict(type='BN', requires_grad=True, momentum=0.005)
model = dict(
    backbone=dict(frozen_stages=1, norm_cfg=norm_cfg),
    roi_head=dict(bbox_head=dict(num_classes=20)),
)

plan = dict(scales=scales, valid_ranges=valid_ranges, test_ranges=test_ranges)

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    batch_sampler=None,
    sampler={{_base_.chip_sampler}},
    dataset=dict(
        _delete_=True,
        type='mmdetxfer.ChipDataset',
        plan=plan,
        dataset=dict(
            type='ConcatDataset',
            # VOC2007 and VOC2012 differ in their metainfo alone.
            ignore_keys=['dataset_type'],
            datasets=[
                dict(
                    type='VOCDataset',
                    data_root=data_root,
                    ann_file=folder + 'ImageSets/Main/trainval.txt',
                    data_prefix=dict(sub_data_root=folder),
                    filter_cfg=dict(filter_empty_gt=True, min_size=0),
                )
                for folder in ('VOC2007/', 'VOC2012/')
            ],
        ),
        pipeline={{_base_.chip_pipeline}},
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        pipeline=[
            {{_base_.load}},
            dict(type='Resize', scale=test_scales[1], keep_ratio=True),
            {{_base_.annotate}},
            {{_base_.pack}},
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(iou_thrs=[0.5, 0.7])
test_evaluator = val_evaluator

tta_model = dict(type='mmdetxfer.ValidRangeTTA', plan=plan)
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
randomness = dict(seed=0)
