"""Do the twin's answers change with schedules 1.7 to 2 times as long?

The candidates, targets, trials and seeds of embedded_li2019.py with the schedules that
the configs have by themselves: 21 epochs of classification and 21 more, 4 of detection,
7 epochs, 500 and 200 iterations of transfers.

Command: python tools/study.py run configs/studies/embedded_longer.py
Data: bash tools/quickstart.sh draws it
Expected: of cls-det, less cls, AP70 +0.117 (+0.042 to +0.193), mIoU -0.184 (-0.537 to
+0.169), fine-tuned top-1 on caltech256 +0.070 (-0.000 to +0.140), measured with the
same configs by scripts that this study replaced (in the history until 58d1367); its own
cells were not run.
"""

_base_ = './embedded_li2019.py'

_cls = dict(config='configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py')
_cls_longer = dict(
    config='configs/cls_pretrain/cls_r18-c5-longer_1xb32-21e_world-imagenet-loc.py'
)
_det = 'configs/sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py'
candidates = {
    'cls': dict(stages=[_cls]),
    'cls-longer': dict(stages=[_cls, _cls_longer]),
    'det': dict(stages=[dict(config=_det)]),
    'cls-det': dict(stages=[_cls, dict(config=_det.replace('c4c5_', 'c4c5-cls_'))]),
}
# Not measured.
budget = dict(_delete_=True)
_bare = dict(_delete_=True, load_from=None, custom_hooks=[])
_as_configured = dict(_delete_=True)
_iters = 'train_cfg.max_iters'
_four_hundred = {'_delete_': True, _iters: 400, 'param_scheduler.0.T_max': 400}
targets = {
    'voc07': dict(
        scratch=dict(_bare, custom_hooks=[dict(type='mmdetxfer.InputPixelsHook')]),
        loaded=_as_configured,
        longer={
            '_delete_': True,
            'train_cfg.max_epochs': 14,
            'train_cfg.val_interval': 14,
            'param_scheduler.1.milestones': [10],
        },
    ),
    'voc12': dict(
        scratch=_bare,
        loaded=_as_configured,
        longer={
            '_delete_': True,
            _iters: 1000,
            'train_cfg.val_interval': 1000,
            'param_scheduler.1.milestones': [700],
        },
    ),
    **{
        name: dict(scratch=_bare, loaded=_as_configured, longer=_four_hundred)
        for name in ('caltech256', 'sun397', 'flowers102')
    },
}
