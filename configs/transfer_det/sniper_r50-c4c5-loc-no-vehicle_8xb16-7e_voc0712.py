"""Does detection pre-training help on classes that it never saw? Vehicles left out.

The candidate is the last checkpoint of
configs/sniper/sniper_r50-c4c5-no-vehicle_8xb16-7e_imagenet-loc.py. The score to look
at is AP70_vehicle.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-loc-no-vehicle_8xb16-7e_voc0712.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for a pre-activation, deformable ResNet-101 and
3,130 classes: vehicles at IoU 0.7 86.83 without and 87.20 with them;
classification 84.52.
"""

_base_ = './sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'

load_from = 'work_dirs/sniper_r50-c4c5-no-vehicle_8xb16-7e_imagenet-loc/epoch_7.pth'
