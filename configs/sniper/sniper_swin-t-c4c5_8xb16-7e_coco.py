"""Does training on chips carry over to a Swin-T on COCO?

Its last two stages side by side at stride 16, the last one brought up from 32.

Command: bash tools/dist_train.sh configs/sniper/sniper_swin-t-c4c5_8xb16-7e_coco.py 8
Expected: not measured here; the paper has no transformer.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

weights = (
    'https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
    'swin_tiny_patch4_window7_224.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        mlp_ratio=4,
        qkv_bias=True,
        drop_path_rate=0.2,
        patch_norm=True,
        out_indices=(2, 3),
        convert_weights=True,
        init_cfg=dict(type='Pretrained', checkpoint=weights),
    ),
    neck=dict(in_channels=[384, 768]),
    rpn_head=dict(in_channels=1152),
)
# Four times mmdet's rate for 16 images: this package's own choice.
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=0.0004, betas=(0.9, 0.999), weight_decay=0.05
    ),
    paramwise_cfg=dict(
        custom_keys=dict(
            absolute_pos_embed=dict(decay_mult=0.0),
            relative_position_bias_table=dict(decay_mult=0.0),
            norm=dict(decay_mult=0.0),
        )
    ),
)
