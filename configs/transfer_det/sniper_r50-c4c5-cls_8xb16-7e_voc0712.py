"""How well does ImageNet classification, or any other candidate, transfer to VOC?

Li et al. 2019's protocol: VOC07+12 trainval, scored on VOC07 test; the backbone is
kept, all heads begin anew; SNIPER's three scales, flip, 7 epochs with the step at the
end of the fifth (the released code's: --cfg-options
param_scheduler.1.milestones=[5.33]). Difficult boxes are left out of training. Another
candidate is --cfg-options load_from=PATH, a file whose backbone is a ResNet-50.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-cls_8xb16-7e_voc0712.py 8
With fewer GPUs add --auto-scale-lr; --amp trains in half precision.
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. Published for a pre-activation, deformable ResNet-101 from
ImageNet classification: mAP (eleven points) 84.6 at IoU 0.5 and 76.3 at 0.7.
"""

_base_ = '../sniper/sniper_r50-c4c5_8xb16-7e_voc0712.py'

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor={{_base_.warm_up_share}},
        by_epoch=False,
        begin=0,
        end={{_base_.warm_up_iters}},
    ),
    dict(type='MultiStepLR', by_epoch=True, milestones=[5], gamma=0.1),
]
val_evaluator = dict(_delete_=True, type='mmdetxfer.VOCSweepMetric')
test_evaluator = val_evaluator
custom_hooks = [
    dict(type='mmdetxfer.InputPixelsHook'),
    dict(type='mmdetxfer.TransferHook', keep=['backbone']),
]
