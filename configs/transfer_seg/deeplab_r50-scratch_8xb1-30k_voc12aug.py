"""How good is VOC's segmentation from scratch, without any pre-training?

The equal schedule; the longer one, which scratch needs (He et al. 2018), is
--cfg-options train_cfg.max_iters=60000 param_scheduler.0.milestones=[40000], an entry
of its own. Nothing is frozen; the statistics of batch norm are those of one image of
each GPU.

Command: bash tools/dist_train.sh
configs/transfer_seg/deeplab_r50-scratch_8xb1-30k_voc12aug.py 8
Expected: not measured here, nor by the papers.
"""

_base_ = './deeplab_r50_8xb1-30k_voc12aug.py'

model = dict(
    backbone=dict(
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    )
)
custom_hooks = []
