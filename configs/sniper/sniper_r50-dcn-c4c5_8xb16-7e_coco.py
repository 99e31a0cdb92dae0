"""What do deformable convolutions in the last stage add on chips of COCO?

All three 3x3 of the last stage, four groups, offsets from an undilated convolution.

Command: bash tools/dist_train.sh configs/sniper/sniper_r50-dcn-c4c5_8xb16-7e_coco.py 8
Expected: not measured here.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

model = dict(
    backbone=dict(
        dcn=dict(
            type='mmdetxfer.UndilatedOffsetDeformConv',
            deform_groups=4,
            fallback_on_stride=False,
        ),
        stage_with_dcn=(False, False, False, True),
    )
)
