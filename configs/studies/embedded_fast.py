"""Does everything run here? The quick start's study in a few minutes.

Two candidates, one target of each task, a tenth of the training: scores say nothing,
and nothing is claimed.

Command: bash tools/quickstart.sh --fast (or python tools/study.py run
configs/studies/embedded_fast.py)
Expected: scores near those of chance, in 4.6 minutes on two cores.
"""

_base_ = './embedded.py'

_cls = dict(
    config='configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py',
    options={
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 2,
        'param_scheduler.1.milestones': [1],
    },
)
candidates = dict(
    _delete_=True,
    scratch=dict(words='no pre-training', network=_cls['config']),
    cls=dict(words='two epochs of classification', stages=[_cls]),
)
targets = dict(
    voc07=dict(
        chosen=dict(_delete_=True, all={'optim_wrapper.optimizer.lr': 0.06}),
        chosen_where='nowhere: a guess',
        scratch={
            'train_cfg.max_epochs': 1,
            'train_cfg.val_interval': 1,
        },
        loaded={
            'train_cfg.max_epochs': 1,
            'train_cfg.val_interval': 1,
        },
        tta=False,
    ),
    voc12=dict(
        chosen=dict(_delete_=True, all={'optim_wrapper.optimizer.lr': 0.06}),
        chosen_where='nowhere: a guess',
        scratch={'train_cfg.max_iters': 60, 'param_scheduler.1.milestones': [50]},
        loaded={'train_cfg.max_iters': 60, 'param_scheduler.1.milestones': [50]},
    ),
    caltech256=dict(
        chosen=dict(_delete_=True, all={'optim_wrapper.optimizer.lr': 0.1}),
        chosen_where='nowhere: a guess',
        scratch={'train_cfg.max_iters': 60, 'param_scheduler.0.T_max': 60},
        loaded={'train_cfg.max_iters': 60, 'param_scheduler.0.T_max': 60},
    ),
)
probes = dict(
    layers=['Conv4:1', 'Conv5:1'],
    strengths=[100.0, 1.0],
    shots=[1],
)
resamples = 200
budget = dict(
    _delete_=True,
    pretrain=30,
    detection=225,
    segmentation=85,
    classification=40,
    probe=20,
    report=15,
)
