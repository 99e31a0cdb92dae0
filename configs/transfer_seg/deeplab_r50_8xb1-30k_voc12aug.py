"""How well does a ResNet-50 candidate transfer to segmentation, without deformation?

The same setting as deeplab_r101-dcn_8xb1-30k_voc12aug.py for the candidates that
configs/sniper makes: the last stage dilated, not deformable. By default ImageNet
classification; another candidate is --cfg-options load_from=PATH.

Command: bash tools/dist_train.sh
configs/transfer_seg/deeplab_r50_8xb1-30k_voc12aug.py 8
Expected: not measured here, nor by the paper.
"""

_base_ = './deeplab_r101-dcn_8xb1-30k_voc12aug.py'

model = dict(
    backbone=dict(
        depth=50,
        dcn=None,
        stage_with_dcn=(False, False, False, False),
        init_cfg=dict(checkpoint='torchvision://resnet50'),
    )
)
