"""How good is the embedded transfer's detector without any pre-training?

The same schedule as for the candidates. A fair comparison has the longer one too:
--cfg-options train_cfg.max_epochs=14 param_scheduler.1.milestones=[10].

Command: python tools/train.py
configs/transfer_det/sniper_r18-c4c5-scratch_1xb16-7e_world-voc.py
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
Test: python tools/test.py CONFIG CHECKPOINT --tta
Expected: not measured yet; tools/benchmarks/embedded_transfer.py measures it.
"""

_base_ = './sniper_r18-c4c5_1xb16-7e_world-voc.py'

load_from = None
custom_hooks = [dict(type='mmdetxfer.InputPixelsHook')]
