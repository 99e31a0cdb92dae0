"""How good is a detector pre-trained on the boxes of ImageNet?

One scale, no negative chips, one class an image: the same images train a classifier
(``mmdetxfer.ImageNetLocDataset`` is for both). Without vehicles or animals: put the
data sets of training and test into ``mmdetxfer.SubsetDataset`` with
exclude_super_category and is_a_file, and set num_classes to what it says.

Command: bash tools/dist_train.sh
configs/sniper/sniper_r50-c4c5_8xb16-7e_imagenet-loc.py 8
Expected: not measured here. Published for a pre-activation, deformable ResNet-101 on
3,130 classes: 37.4 mAP on ImageNet-DET.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

data_root = 'data/ILSVRC/'
num_classes = 1000
synsets = 'LOC_synset_mapping.txt'
test_scale = (512, 512)

model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes)))

plan = dict(_delete_=True, scales=[(512, 512)], valid_ranges=[(-1, -1)])
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
            dict(type='Resize', scale=test_scale, keep_ratio=True),
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
            [dict(type='Resize', scale=test_scale, keep_ratio=True)],
            [{{_base_.annotate}}],
            [{{_base_.pack}}],
        ],
    ),
]
