"""Where does a detector take background for objects? The first pass of SNIPER.

Region proposals alone, two epochs without negative chips. Its proposals on the training
images are what the detector's negative chips are cut for.

Command: bash tools/dist_train.sh configs/sniper/sniper_r50-c4c5-rpn_8xb16-2e_coco.py 8
Then: python tools/misc/extract_proposals.py CONFIG CHECKPOINT --out
work_dirs/proposals_coco
Expected: not measured here.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

# The second stage is not built.
model = dict(type='RPN')

train_cfg = dict(max_epochs=2, val_interval=2)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor={{_base_.warm_up_share}},
        by_epoch=False,
        begin=0,
        end={{_base_.warm_up_iters}},
    ),
]
val_evaluator = dict(metric='proposal_fast')
test_evaluator = val_evaluator
