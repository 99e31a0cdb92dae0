"""Which embedded candidate classifies flowers of another domain best?

The small twin of r50-c5_1xb64-5k_flowers102.py: 10 of the 102 flowers in its layout,
200 images to learn from. By default detection on chips, seed 0; any candidate:
--cfg-options load_from=PATH.

Command: python tools/train.py
configs/transfer_cls/r18-c5_1xb32-200i_world-flowers102.py
Candidates: bash tools/embedded_candidates.sh
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
--formats caltech256 sun397 flowers102
Expected: not measured with this schedule. With 120 iterations and settings chosen by
trials (configs/studies/embedded_li2019.py) top-1, mean of three seeds:
41.8 (37.0, 41.0, 47.5) from det, 77.0 from cls, 79.8 from Cls -> Det.
"""

_base_ = './r18-c5_1xb32-200i_world-caltech256.py'

data_root = 'work_dirs/world_small/Flowers102'
# Their places among the real ones; the others have no image.
num_classes = 102

data_preprocessor = dict(num_classes=num_classes)
model = dict(head=dict(num_classes=num_classes))
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='Flowers102',
            data_root=data_root,
            split='trainval',
            pipeline={{_base_.train_pipeline}},
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='Flowers102',
            data_root=data_root,
            split='test',
            pipeline={{_base_.test_pipeline}},
        ),
    )
)
test_dataloader = val_dataloader
