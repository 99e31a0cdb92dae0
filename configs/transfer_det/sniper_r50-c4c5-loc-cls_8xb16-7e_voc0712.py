"""Is it the boxes or the images? Classification of the very samples of ImageNet-Loc.

The candidate is the last checkpoint of
configs/cls_pretrain/cls_r50_8xb32-100e_imagenet-loc.py.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-loc-cls_8xb16-7e_voc0712.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for a pre-activation, deformable ResNet-101 and
3,130 classes: mAP (eleven points) 84.5 at IoU 0.5 and 76.6 at 0.7.
"""

_base_ = './sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'

load_from = 'work_dirs/cls_r50_8xb32-100e_imagenet-loc/epoch_100.pth'
