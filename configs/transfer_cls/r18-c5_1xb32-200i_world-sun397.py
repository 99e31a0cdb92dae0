"""Which embedded candidate classifies scenes of another domain best?

The small twin of r50-c5_1xb64-5k_sun397.py: 16 of SUN-397's scenes in its layout, 200
images to learn from. By default detection on chips, seed 0; any candidate:
--cfg-options load_from=PATH.

Command: python tools/train.py configs/transfer_cls/r18-c5_1xb32-200i_world-sun397.py
Candidates: bash tools/embedded_candidates.sh
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
--formats caltech256 sun397 flowers102
Expected: not measured with this schedule. With 120 iterations and settings chosen by
trials (configs/studies/embedded_li2019.py) top-1, mean of three seeds:
44.8 (52.5, 37.0, 45.0) from det, 73.3 from cls, 84.0 from Cls -> Det.
"""

_base_ = './r18-c5_1xb32-200i_world-caltech256.py'

data_root = 'work_dirs/world_small/SUN397'
# Their places among the real ones; the others have no image.
num_classes = 397

data_preprocessor = dict(num_classes=num_classes)
model = dict(head=dict(num_classes=num_classes))
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='SUN397',
            data_root=data_root,
            split='train',
            pipeline={{_base_.train_pipeline}},
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='SUN397',
            data_root=data_root,
            split='test',
            pipeline={{_base_.test_pipeline}},
        ),
    )
)
test_dataloader = val_dataloader
