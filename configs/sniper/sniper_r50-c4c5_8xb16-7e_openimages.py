"""How good is a detector pre-trained on chips of OpenImages V4 (601 classes)?

Two scales without negative chips, as Li et al. 2019 pre-train; soft sampling and
ignored groups, as in SNIPER's branch for OpenImages. That branch's own schedule (14
epochs, lr 0.075, steps at 5 and 12) seems to go on from another training; here it is
SNIPER's.

Command: bash tools/dist_train.sh
configs/sniper/sniper_r50-c4c5_8xb16-7e_openimages.py 8
Before: python tools/misc/cache_annotations.py CONFIG reads labels and image sizes.
Expected: not measured here. Published for a pre-activation, deformable ResNet-101 with
500 classes: 45 % by OpenImages' metric on validation.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

data_root = 'data/OpenImages/'
num_classes = 601
scales = [(768, 1024), (480, 512)]
# Area and side of a box decide: under 300 px and 450 px it belongs to the finer scale.
valid_ranges = [(-1, 300), (300, -1)]
side_limit_px = 450
# A long box may have a small area: the second stage sees it at the coarse scale too.
proposal_ranges = [(-1, 300), (240, -1)]
# Overlapping as for COCO; the paper does not tell its own.
test_ranges = [(-1, 340), (240, -1)]
test_scales = [(1024, 768), (512, 480)]

model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[3, 6, 12, 24])),
    roi_head=dict(
        bbox_head=dict(type='mmdetxfer.SoftSampledBBoxHead', num_classes=num_classes)
    ),
)

plan = dict(
    _delete_=True,
    scales=scales,
    valid_ranges=valid_ranges,
    side_limit_px=side_limit_px,
    proposal_ranges=proposal_ranges,
    test_ranges=test_ranges,
    stride_range_px=(52, 59),
)
labels = dict(
    type='mmdetxfer.ColumnarOpenImagesDataset',
    data_root=data_root,
    label_file='annotations/class-descriptions-boxable.csv',
    hierarchy_file='annotations/bbox_labels_600_hierarchy.json',
)
train_dataloader = dict(
    dataset=dict(
        plan=plan,
        dataset=dict(
            _delete_=True,
            ann_file='annotations/train-annotations-bbox.csv',
            data_prefix=dict(img='OpenImages/train/'),
            **labels,
        ),
    ),
)
# Their metric reads the boxes of the annotation, and the labels of whole images.
pack = dict(
    type='PackDetInputs',
    meta_keys=(
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'instances',
        'image_level_labels',
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        ann_file='annotations/validation-annotations-bbox.csv',
        image_level_ann_file=(
            'annotations/validation-annotations-human-imagelabels-boxable.csv'
        ),
        data_prefix=dict(img='OpenImages/validation/'),
        test_mode=True,
        pipeline=[
            {{_base_.load}},
            dict(type='Resize', scale=test_scales[0], keep_ratio=True),
            {{_base_.annotate}},
            pack,
        ],
        **labels,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='OpenImagesMetric',
    iou_thrs=0.5,
    ioa_thrs=0.5,
    use_group_of=True,
    get_supercategory=True,
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
            [pack],
        ],
    ),
]
