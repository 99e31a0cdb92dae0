"""Does detection on OpenImages transfer better to VOC than classification?

The candidate is the last checkpoint of
configs/sniper/sniper_r50-c4c5_8xb16-7e_openimages.py.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-openimages_8xb16-7e_voc0712.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for a pre-activation, deformable ResNet-101: mAP
(eleven points) 86.8 at IoU 0.5 and 81.1 at 0.7.
"""

_base_ = './sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'

load_from = 'work_dirs/sniper_r50-c4c5_8xb16-7e_openimages/epoch_7.pth'
