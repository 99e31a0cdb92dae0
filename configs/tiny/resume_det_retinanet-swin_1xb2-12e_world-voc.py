"""Is a killed and resumed training exact? Everything random that can be, in 48 steps.

Two persistent workers, flips, photometric distortion, dropout, gradients accumulated
over 2 iterations, an averaged model, checkpoints every 4 iterations.

Command: python tools/analysis_tools/check_resume.py
configs/tiny/resume_det_retinanet-swin_1xb2-12e_world-voc.py --jobs 2
Data: python tools/make_world.py --out work_dirs/world_tiny --size tiny --seed 0
Expected: 50 of 50 equal the undisturbed one, bit for bit (measured: 41 of them killed,
the others had ended before their moment).
"""

_base_ = './tiny_det_retinanet-r18_1xb4-2e_world-voc.py'

max_epochs = 12

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=16,
        depths=(1, 1, 1, 1),
        num_heads=(1, 2, 4, 8),
        window_size=4,
        drop_rate=0.1,
        drop_path_rate=0.2,
    ),
    neck=dict(in_channels=[16, 32, 64, 128], norm_cfg=dict(type='BN')),
)
train_dataloader = dict(batch_size=2, num_workers=2, persistent_workers=True)
train_cfg = dict(max_epochs=max_epochs, val_interval=3)
optim_wrapper = dict(accumulative_counts=2)
custom_hooks = [dict(type='EMAHook', momentum=0.1)]
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False, interval=4, max_keep_ckpts=2, save_best='pascal_voc/mAP'
    )
)
