"""How good is the embedded segmentor without any pre-training?

Command: python tools/train.py
configs/transfer_seg/deeplab_r18-scratch_1xb8-500i_world-voc.py
Expected: not measured yet.
"""

_base_ = './deeplab_r18_1xb8-500i_world-voc.py'

load_from = None
custom_hooks = []
