"""Does detection on OpenImages help COCO, which has many boxes itself?

The candidate is the last checkpoint of
configs/sniper/sniper_r50-c4c5_8xb16-7e_openimages.py; its baseline, ImageNet
classification, is configs/sniper/sniper_r50-c4c5_8xb16-7e_coco.py.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-openimages_8xb16-7e_coco.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for a pre-activation, deformable ResNet-101 on
test-dev: AP 47.8, AP50 68.2, AP75 53.6 against 46.5, 67.5, 52.2 from ImageNet
classification.
"""

_base_ = '../sniper/sniper_r50-c4c5_8xb16-7e_coco.py'

load_from = 'work_dirs/sniper_r50-c4c5_8xb16-7e_openimages/epoch_7.pth'
custom_hooks = [
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
]
