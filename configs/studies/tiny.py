"""Is a study that is killed at random as if it had not been? Three cells of seconds.

Command: python tools/benchmarks/killed_study.py configs/studies/tiny.py
Data: bash tools/quickstart.sh draws it
Expected: the same records whatever was killed; scores say nothing.
"""

_cls = dict(
    config='configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py',
    options={'train_cfg.max_epochs': 2, 'train_cfg.val_interval': 2},
    share=0.2,
)

question = 'Does anything go wrong when it is killed?'
baseline = 'cls'
candidates = {
    'scratch': dict(words='no pre-training', network=_cls['config']),
    'cls': dict(words='two epochs of a fifth of the images', stages=[_cls]),
}

_few = {
    'train_cfg.max_iters': 40,
    'param_scheduler.0.T_max': 40,
    'default_hooks.checkpoint.interval': 10,
}
targets = dict(
    caltech256=dict(
        task='classification',
        words='ten classes',
        config='configs/transfer_cls/r18-c5_1xb32-200i_world-caltech256.py',
        scratch=dict(load_from=None, custom_hooks=[], **_few),
        loaded=_few,
        chosen=dict(all={}),
        chosen_where='the config',
    ),
)
