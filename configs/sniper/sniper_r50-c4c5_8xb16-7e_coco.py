"""How good is a detector trained on chips of COCO? SNIPER's recipe on a ResNet-50.

Command: bash tools/dist_train.sh configs/sniper/sniper_r50-c4c5_8xb16-7e_coco.py 8
With fewer GPUs add --auto-scale-lr; --amp trains in half precision.
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for another network (pre-activation, deformable
ResNet-101, negative chips): COCO test-dev AP 46.5, AP50 67.5, AP75 52.2.
"""

_base_ = [
    '../_base_/models/sniper_r50-c4c5.py',
    '../_base_/sniper_pipelines.py',
    '../_base_/schedules/sniper_7e.py',
    'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/default_runtime.py',
]

chip_px = 512
# Finest first, as the original's code trains on COCO; it tests at sizes in pixels.
scales = [3.0, 1.667, (-1, chip_px)]
valid_ranges = [(-1, 80), (32, 150), (120, -1)]
test_scales = [(2000, 1400), (1280, 800), (512, 480)]
test_ranges = [(-1, 90), (32, 180), (75, -1)]

# Stage 1 is frozen; the others' batch norm is trained, on each GPU by itself.
norm_cfg = dict(type='BN', requires_grad=True, momentum=0.005)
model = dict(backbone=dict(frozen_stages=1, norm_cfg=norm_cfg))

plan = dict(
    scales=scales,
    valid_ranges=valid_ranges,
    test_ranges=test_ranges,
    chip_px=chip_px,
)

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
            type='CocoDataset',
            data_root='data/coco/',
            ann_file='annotations/instances_train2017.json',
            data_prefix=dict(img='train2017/'),
            filter_cfg=dict(filter_empty_gt=True, min_size=0),
        ),
        pipeline={{_base_.chip_pipeline}},
    ),
)

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
