"""How good is SNIPER's very network on COCO, its deformable pre-activation ResNet-101?

As the authors' code: input without a scale, stem and first stage frozen, deformable RoI
pooling (GPUs only; on a CPU SingleRoIExtractor with RoIAlign). From scratch frozen
layers make no sense: name converted weights in init_cfg, or set frozen_stages=-1.

Command: bash tools/dist_train.sh
configs/sniper/sniper_preact-r101-dcn-c4c5_8xb16-7e_coco.py 8
Expected: not measured here. Published, with negative chips: COCO test-dev AP 46.5, AP50
67.5, AP75 52.2 from ImageNet classification.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

model = dict(
    data_preprocessor=dict(mean=[123.68, 116.779, 103.939], std=[1.0, 1.0, 1.0]),
    backbone=dict(
        _delete_=True,
        type='mmdetxfer.PreActResNet',
        depth=101,
        out_indices=(2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        deform_groups=4,
        frozen_stages=1,
        init_cfg=None,
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            _delete_=True,
            type='mmdetxfer.DeformRoIExtractor',
            out_channels=256,
            featmap_strides=[16],
        ),
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(offset_fc=dict(lr_mult=0.01))),
)
