"""What do negative chips add? SNIPER's recipe with the proposals of a first pass.

At most two chips of an image and epoch, cut for proposals that no other chip covers.

Command: bash tools/dist_train.sh
configs/sniper/sniper_r50-c4c5-negatives_8xb16-7e_coco.py 8
Before: sniper_r50-c4c5-rpn_8xb16-2e_coco.py and tools/misc/extract_proposals.py.
Expected: not measured here; see sniper_r50-c4c5_8xb16-7e_coco.py for published figures,
which are with negative chips.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_coco.py'

train_dataloader = dict(
    dataset=dict(plan=dict(num_negatives=2), proposals='work_dirs/proposals_coco')
)
