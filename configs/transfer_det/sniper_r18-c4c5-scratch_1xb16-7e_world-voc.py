"""How good is the embedded transfer's detector without any pre-training?

The same schedule as for the candidates. A fair comparison has the longer one too:
--cfg-options train_cfg.max_epochs=14 param_scheduler.1.milestones=[10].

Command: python tools/train.py
configs/transfer_det/sniper_r18-c4c5-scratch_1xb16-7e_world-voc.py
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
Test: python tools/test.py CONFIG CHECKPOINT --tta
Expected: AP50 / AP70 0.099 / 0.060 at a rate of 0.12, means of seeds 0 to 2 (.097 .089
.110 / .064 .051 .064); twice as long 0.246 / 0.193 (.245 .272 .220 / .194 .215 .170).
"""

_base_ = './sniper_r18-c4c5_1xb16-7e_world-voc.py'

load_from = None
custom_hooks = [dict(type='mmdetxfer.InputPixelsHook')]
