"""Which embedded candidate classifies one-object images of another domain best?

The small twin of r50-c5_1xb64-5k_caltech256.py: the candidates' own backbone at 128 px,
10 classes of Caltech-256 in its layout, 20 images of each to learn from. By default
detection on chips, seed 0; any candidate: --cfg-options load_from=PATH.

Command: python tools/train.py
configs/transfer_cls/r18-c5_1xb32-200i_world-caltech256.py
Candidates: bash tools/embedded_candidates.sh
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
--formats caltech256 sun397 flowers102
Expected: with the rate and weight decay chosen for each candidate, top-1 of 76.2 from
cls (seeds 0 to 2: 77.5 75.5 75.5), 83.2 from Cls -> Det, 67.3 from det.
"""

_base_ = '../cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py'

data_root = 'work_dirs/world_small/Caltech256/256_ObjectCategories'
num_classes = 10
max_iters = 200

load_from = 'work_dirs/embedded_candidates/det/seed_0/epoch_4.pth'
data_preprocessor = dict(num_classes=num_classes)
model = dict(head=dict(num_classes=num_classes))

train_dataloader = dict(
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(
        _delete_=True,
        type='mmdetxfer.WholeDataset',
        dataset=dict(
            type='mmdetxfer.Caltech256Dataset',
            data_root=data_root,
            num_train=20,
            num_expected=None,
            split='train',
            pipeline={{_base_.train_pipeline}},
        ),
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmdetxfer.WholeDataset',
        dataset=dict(
            type='mmdetxfer.Caltech256Dataset',
            data_root=data_root,
            num_train=20,
            num_expected=None,
            split='test',
            pipeline={{_base_.test_pipeline}},
        ),
    ),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='SingleLabelMetric', items=['recall']),
]
test_evaluator = val_evaluator

train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=max_iters,
)
optim_wrapper = dict(optimizer=dict(lr=0.05, nesterov=True))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, T_max=max_iters)]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=max_iters),
)
custom_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
log_processor = dict(by_epoch=False)
