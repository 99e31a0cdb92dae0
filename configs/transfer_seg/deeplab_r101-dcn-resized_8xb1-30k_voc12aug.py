"""What is mIoU at the resized size, as Deformable ConvNets and the paper score it?

The same training; labels are resized too, by nearest neighbours, and scores are at the
size that the network sees. Only these can be compared with the published ones.

Command: bash tools/dist_test.sh
configs/transfer_seg/deeplab_r101-dcn-resized_8xb1-30k_voc12aug.py CHECKPOINT 8
Expected: not measured here. Published: see deeplab_r101-dcn_8xb1-30k_voc12aug.py.
"""

_base_ = './deeplab_r101-dcn_8xb1-30k_voc12aug.py'

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale={{_base_.scale}}, keep_ratio=True),
    dict(type='mmdetxfer.ScoreAtResizedSize'),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
