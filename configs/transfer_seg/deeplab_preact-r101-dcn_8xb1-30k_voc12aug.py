"""How well does SNIPER's own network transfer to segmentation? The paper's candidates.

A pre-activation ResNet-101 whose deformable last stage has four groups of offsets,
which are kept: they are in the checkpoint of
configs/sniper/sniper_preact-r101-dcn-c4c5_8xb16-7e_coco.py, the default. To begin them
anew, with any number of groups: --cfg-options model.backbone.deform_groups=1
custom_hooks.0.reinit=[backbone.stage4.*.conv2.conv_offset]; the receipt names them.

Command: bash tools/dist_train.sh
configs/transfer_seg/deeplab_preact-r101-dcn_8xb1-30k_voc12aug.py 8
Expected: not measured here. Published, scored at the resized size: mIoU 75.7 (ImageNet
classification), 78.3 (ImageNet-Loc), 78.6 (OpenImages).
"""

_base_ = './deeplab_r101-dcn_8xb1-30k_voc12aug.py'

load_from = 'work_dirs/sniper_preact-r101-dcn-c4c5_8xb16-7e_coco/epoch_7.pth'
model = dict(
    data_preprocessor=dict(mean=[123.68, 116.779, 103.939], std=[1.0, 1.0, 1.0]),
    backbone=dict(
        _delete_=True,
        type='mmdetxfer.PreActResNet',
        depth=101,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        frozen_stages=1,
        norm_eval=True,
        deform_groups=4,
    ),
)
