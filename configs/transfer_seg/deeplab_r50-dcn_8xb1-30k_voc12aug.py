"""How well does a deformable ResNet-50 detector transfer to segmentation?

The candidate is configs/sniper/sniper_r50-dcn-c4c5_8xb16-7e_coco.py, whose four groups
of offsets are kept. To begin them anew: --cfg-options
model.backbone.dcn.deform_groups=1
custom_hooks.0.reinit=[backbone.layer4.*.conv2.conv_offset]; the receipt names them.

Command: bash tools/dist_train.sh
configs/transfer_seg/deeplab_r50-dcn_8xb1-30k_voc12aug.py 8
Expected: not measured here, nor by the paper.
"""

_base_ = './deeplab_r101-dcn_8xb1-30k_voc12aug.py'

load_from = 'work_dirs/sniper_r50-dcn-c4c5_8xb16-7e_coco/epoch_7.pth'
model = dict(
    backbone=dict(depth=50, dcn=dict(deform_groups=4), init_cfg=None),
)
