"""How well does a candidate transfer to VOC with a transformer, DINO?

By default ImageNet classification; another candidate is --cfg-options load_from=PATH.
Pipeline and schedule are the host's for COCO.

Command: bash tools/dist_train.sh
configs/transfer_det/dino-4scale_r50_8xb2-12e_voc0712.py 8
Expected: not measured here, nor by the papers.
"""

_base_ = 'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py'

data_root = 'data/VOCdevkit/'

model = dict(bbox_head=dict(num_classes=20))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        # VOC2007 and VOC2012 differ in their metainfo alone.
        ignore_keys=['dataset_type'],
        datasets=[
            dict(
                type='VOCDataset',
                data_root=data_root,
                ann_file=folder + 'ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root=folder),
                pipeline={{_base_.train_pipeline}},
            )
            for folder in ('VOC2007/', 'VOC2012/')
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='VOCDataset',
        data_root=data_root,
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='mmdetxfer.VOCSweepMetric')
test_evaluator = val_evaluator
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
randomness = dict(seed=0)
