"""Is it the boxes or the images? Classification of the very samples of ImageNet-Loc.

The counterpart, from the same weights of ImageNet classification, of
configs/sniper/sniper_r50-c4c5_8xb16-7e_imagenet-loc.py: the same images of one class
each, without the boxes. Both from scratch: --cfg-options model.backbone.init_cfg=None
here, and there frozen_stages=-1 and batch norm's usual momentum too, as in
configs/transfer_det/sniper_r50-c4c5-scratch_8xb16-7e_voc0712.py.

Command: bash tools/dist_train.sh
configs/cls_pretrain/cls_r50_8xb32-100e_imagenet-loc.py 8
Expected: not measured here. Published after fine-tuning from such a classifier of 3,130
classes: VOC07 test mAP 84.5 at IoU 0.5 and 76.6 at 0.7, Caltech-256 85.8.
"""

_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'

data_root = 'data/ILSVRC/'
images = dict(
    _delete_=True,
    type='mmdetxfer.ImageNetLocDataset',
    data_root=data_root,
    synsets='LOC_synset_mapping.txt',
)
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
)
train_dataloader = dict(
    dataset=dict(
        ann_file='Annotations/CLS-LOC/train',
        data_prefix=dict(img='Data/CLS-LOC/train'),
        pipeline={{_base_.train_pipeline}},
        **images,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='Annotations/CLS-LOC/val',
        data_prefix=dict(img='Data/CLS-LOC/val'),
        pipeline={{_base_.test_pipeline}},
        **images,
    ),
)
test_dataloader = val_dataloader
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
