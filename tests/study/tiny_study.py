"""A study of minutes that goes through everything: tasks, trials, probes, failures."""

_root = '{ROOT}/configs/tiny/'
_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]
_cls = dict(
    config=_root + 'tiny_cls_r18_1xb8-2e_world-imagenet.py',
    options={'train_cfg.max_epochs': 1},
)
_rate = 'optim_wrapper.optimizer.lr'

question = 'Does it go through?'
baseline = 'cls'
seeds = [0, 1]
candidates = {
    'scratch': dict(words='none', network=_cls['config']),
    'cls': dict(words='classification', stages=[_cls]),
    'lost': dict(words='a file that is not there', stages=[dict(file='lost.pth')]),
    'wild': dict(
        words='a loss that is no number',
        stages=[{**_cls, 'options': {**_cls['options'], _rate: 1e30}}],
    ),
}
targets = dict(
    pets=dict(
        task='classification',
        config=_cls['config'],
        scratch=dict(load_from=None, custom_hooks=[]),
        loaded=dict(custom_hooks=_hooks),
        settings=[{_rate: 0.02}, {_rate: 0.01}],
        part={'train_dataloader.dataset.split': 'train'},
        rest={'test_dataloader.dataset.split': 'train'},
    ),
    away=dict(
        task='segmentation',
        config=_root + 'tiny_seg_fcn-r18_1xb4-8i_world-voc.py',
        scratch={
            'load_from': None,
            'train_dataloader.dataset.data_root': 'no_such_place',
        },
        loaded={
            'custom_hooks': _hooks,
            'train_dataloader.dataset.data_root': 'no_such_place',
        },
        chosen=dict(all={}),
    ),
)
probes = dict(
    targets=dict(pets=dict(config=_cls['config'], has_all_classes=False)),
    layers=['Conv4:1', 'Conv5:1,2'],
    main_layer='Conv5 1x1',
    strengths=[100.0, 1.0],
    shots=[1],
)
