"""How good is VOC from scratch, without any pre-training?

The equal schedule; the longer one, which scratch needs (He et al. 2018), is
--cfg-options train_cfg.max_epochs=56 param_scheduler.1.milestones=[40], an entry of its
own. Nothing is frozen, and batch norm has its usual momentum.

Command: bash tools/dist_train.sh
configs/transfer_det/sniper_r50-c4c5-scratch_8xb16-7e_voc0712.py 8
Test: bash tools/dist_test.sh CONFIG CHECKPOINT 8 --tta
Expected: not measured here. He et al. 2018 have 77.6 from scratch against 82.7 at
IoU 0.5 on VOC12 val with another detector and 8 times the schedule.
"""

_base_ = './sniper_r50-c4c5-cls_8xb16-7e_voc0712.py'

model = dict(
    backbone=dict(
        frozen_stages=-1,
        norm_cfg=dict(_delete_=True, type='BN', requires_grad=True),
        init_cfg=None,
    )
)
custom_hooks = [dict(type='mmdetxfer.InputPixelsHook')]
