"""Does the deformable last stage run where there is no GPU? A toy in a minute.

Bottleneck blocks of 16 base channels: basic blocks refuse deformable convolutions.

Command: python tools/train.py
configs/transfer_seg/deeplab_r50-dcn_1xb4-40i_world-voc.py
Data: bash tools/embedded_candidates.sh
Expected: mIoU near that of background alone; it shows that the machinery runs.
"""

_base_ = './deeplab_r18-scratch_1xb8-500i_world-voc.py'

max_iters = 40

model = dict(
    backbone=dict(
        depth=50,
        dcn=dict(
            type='mmdetxfer.UndilatedOffsetDeformConv',
            deform_groups=1,
            fallback_on_stride=False,
        ),
        stage_with_dcn=(False, False, False, True),
    ),
    decode_head=dict(in_channels=512),
)
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
