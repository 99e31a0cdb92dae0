"""How well does a candidate transfer with modulated deformable convolutions, version 2?

The offsets and masks are in no checkpoint of an ordinary ResNet: the receipt lists them
as left as initialised.

Command: bash tools/dist_train.sh
configs/transfer_det/faster-rcnn_r101-mdconv-fpn_8xb2-4e_voc0712.py 8
Expected: not measured here. Published for Deformable ConvNets v2 with ResNet-101: mAP
(eleven points) 84.9 at IoU 0.5 and 73.5 at 0.7.
"""

_base_ = './faster-rcnn_r101-dconv-fpn_8xb2-4e_voc0712.py'

model = dict(backbone=dict(dcn=dict(type='DCNv2')))
