"""Does objectness apart from a softmax over all synsets help on ImageNet-Loc?

The decoupled head of R-FCN-3000, with layers shared by both parts.

Command: bash tools/dist_train.sh
configs/sniper/sniper_r50-c4c5-decoupled_8xb16-7e_imagenet-loc.py 8
Expected: not measured here. Published for R-FCN-3000 trained by SNIPER: 37.8 mAP on
ImageNet-DET.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_imagenet-loc.py'

model = dict(
    roi_head=dict(
        bbox_head=dict(loss_cls=dict(_delete_=True, type='mmdetxfer.DecoupledLoss'))
    )
)
