"""What does depth add on chips of COCO? SNIPER's recipe on a ResNet-101.

Command: bash tools/dist_train.sh configs/sniper/sniper_r101-c4c5_8xb16-7e_coco.py 8
Expected: not measured here; see the ResNet-50's config for published figures.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101'))
)
