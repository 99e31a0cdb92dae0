"""Is it the boxes or more training? ImageNet classification trained on.

The candidate is the last checkpoint of
configs/cls_pretrain/cls_r50-longer_8xb32-76e_imagenet.py, which costs what the
detection stage on ImageNet-Loc costs.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-cls-longer_8xb16-7e_voc0712.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. A control that the papers do not have.
"""

_base_ = './sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'

load_from = 'work_dirs/cls_r50-longer_8xb32-76e_imagenet/epoch_76.pth'
