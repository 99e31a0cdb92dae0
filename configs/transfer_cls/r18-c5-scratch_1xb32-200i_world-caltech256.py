"""How good is the embedded classifier without any pre-training?

The same schedule as for the candidates. A fair comparison has the longer one too:
--cfg-options train_cfg.max_iters=400 param_scheduler.0.T_max=400.

Command: python tools/train.py
configs/transfer_cls/r18-c5-scratch_1xb32-200i_world-caltech256.py
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
--formats caltech256 sun397 flowers102
Expected: not measured yet.
"""

_base_ = './r18-c5_1xb32-200i_world-caltech256.py'

load_from = None
custom_hooks = []
