"""How well does a candidate transfer with deformable convolutions, version 1?

The offsets are in no checkpoint of an ordinary ResNet: the receipt lists them as left
as initialised, to zero. The paper's row has another detector (R-FCN's successor on
aligned, deformable RoI pooling).

Command: bash tools/dist_train.sh
configs/transfer_det/faster-rcnn_r101-dconv-fpn_8xb2-4e_voc0712.py 8
Expected: not measured here. Published for Deformable ConvNets v1 with ResNet-101: mAP
(eleven points) 81.9 at IoU 0.5 and 68.2 at 0.7.
"""

_base_ = './faster-rcnn_r50-fpn_8xb2-4e_voc0712.py'

model = dict(
    backbone=dict(
        depth=101,
        dcn=dict(type='DCN', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
        init_cfg=dict(checkpoint='torchvision://resnet101'),
    )
)
