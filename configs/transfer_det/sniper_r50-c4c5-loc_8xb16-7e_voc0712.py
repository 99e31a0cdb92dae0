"""Does detection on ImageNet's boxes transfer better to VOC than classification?

The candidate is the last checkpoint of
configs/sniper/sniper_r50-c4c5_8xb16-7e_imagenet-loc.py, which itself begins with
ImageNet classification.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-loc_8xb16-7e_voc0712.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for a pre-activation, deformable ResNet-101: mAP
(eleven points) 86.5 at IoU 0.5 and 80.0 at 0.7.
"""

_base_ = './sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'

load_from = 'work_dirs/sniper_r50-c4c5_8xb16-7e_imagenet-loc/epoch_7.pth'
