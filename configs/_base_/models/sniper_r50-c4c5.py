"""SNIPER's detector on a torchvision-style ResNet-50.

C4 and C5 side by side at stride 16, C5 dilated; region proposals on all channels; one
1x1 convolution to 256 before RoI pooling; two layers of 1024; class-agnostic boxes.
"""

_base_ = 'mmdet::_base_/models/faster-rcnn_r50-caffe-dc5.py'

chip_px = 512
num_proposals = 300
# The original divides the box loss by 188 of its 300 proposals a chip, mmdet by all.
box_loss_weight = 300 / 188

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=chip_px,
    ),
    backbone=dict(
        out_indices=(2, 3),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
        init_cfg=dict(checkpoint='torchvision://resnet50'),
    ),
    neck=dict(
        type='mmdetxfer.JoinedStages', in_channels=[1024, 2048], out_channels=256
    ),
    rpn_head=dict(
        type='mmdetxfer.ChipRPNHead',
        in_channels=3072,
        feat_channels=512,
        anchor_generator=dict(scales=[2, 4, 7, 10, 13, 16, 24]),
        loss_cls=dict(use_sigmoid=False),
        loss_bbox=dict(_delete_=True, type='SmoothL1Loss', beta=1.0, loss_weight=3.0),
    ),
    roi_head=dict(
        type='mmdetxfer.ChipRoIHead',
        num_places=num_proposals,
        bbox_roi_extractor=dict(type='mmdetxfer.MatrixRoIExtractor', out_channels=256),
        bbox_head=dict(
            in_channels=256,
            reg_class_agnostic=True,
            loss_bbox=dict(
                _delete_=True,
                type='SmoothL1Loss',
                beta=1.0,
                loss_weight=box_loss_weight,
            ),
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type='mmdetxfer.ChipAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=0.4,
                # 0 would make positives of all anchors that a box does not touch
                min_pos_iou=0.001,
                ignore_iof_thr=0.9,
            ),
            allowed_border=chip_px // 16,
        ),
        rpn_proposal=dict(nms_pre=-1, max_per_img=num_proposals),
        rcnn=dict(
            assigner=dict(type='mmdetxfer.ChipAssigner', ignore_iof_thr=0.9),
            sampler=dict(_delete_=True, type='PseudoSampler'),
        ),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=6000, max_per_img=num_proposals),
        rcnn=dict(
            score_thr=1e-3,
            nms=dict(
                _delete_=True,
                type='soft_nms',
                sigma=0.55,
                min_score=1e-3,
                method='gaussian',
            ),
            max_per_img=200,
        ),
    ),
)
