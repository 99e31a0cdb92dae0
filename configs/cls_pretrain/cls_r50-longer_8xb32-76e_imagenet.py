"""Is it the boxes or more training? ImageNet classification, trained on.

It costs what the detection stage on ImageNet-Loc costs: there a chip of 512 px is 52.4
thousand million multiply-adds forward, here an image of 224 px 4.11, so that 7 epochs
of 544,546 images, if each gives one chip in either orientation, are 76 of 1,281,167.
The schedule of the host again, from torchvision's backbone; the last layer, whose names
differ there, begins anew.

Command: bash tools/dist_train.sh
configs/cls_pretrain/cls_r50-longer_8xb32-76e_imagenet.py 8
Expected: not measured here. A control that the papers do not have.
"""

_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'

max_epochs = 76

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
)
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(milestones=[23, 46, 68])
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
