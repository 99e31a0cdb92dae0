"""How good is the embedded segmentor without any pre-training?

Command: python tools/train.py
configs/transfer_seg/deeplab_r18-scratch_1xb8-500i_world-voc.py
Expected: mIoU of 0.311 (seeds 0 to 2: 0.368 0.235 0.329); twice as long,
--cfg-options train_cfg.max_iters=1000 param_scheduler.1.milestones=[700]: 0.462 (0.468
0.451 0.468).
"""

_base_ = './deeplab_r18_1xb8-500i_world-voc.py'

load_from = None
custom_hooks = []
