"""How good is the embedded classifier without any pre-training?

The same schedule as for the candidates. A fair comparison has the longer one too:
--cfg-options train_cfg.max_iters=400 param_scheduler.0.T_max=400.

Command: python tools/train.py
configs/transfer_cls/r18-c5-scratch_1xb32-200i_world-caltech256.py
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
--formats caltech256 sun397 flowers102
Expected: with a rate of 0.3 and a weight decay of 0.0001, top-1 of 66.8 (seeds 0 to 2:
67.0 68.0 65.5), twice as long 70.3.
"""

_base_ = './r18-c5_1xb32-200i_world-caltech256.py'

load_from = None
custom_hooks = []
