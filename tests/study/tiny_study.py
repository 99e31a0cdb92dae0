"""A study of a minute that goes through everything: chains, tasks, probes, failures.

ROOT and HERE are replaced by the repository and the folder of the test.
"""

_tiny = 'ROOT/configs/tiny/'
_cls = dict(
    config=_tiny + 'tiny_cls_r18_1xb8-2e_world-imagenet.py',
    options={'train_cfg.max_epochs': 1},
)
_rate = 'optim_wrapper.optimizer.lr'
_hooks = [dict(type='mmdetxfer.TransferHook', keep=['backbone'])]

question = 'Does it go through?'
baseline = 'cls'
candidates = {
    'scratch': dict(words='none', network=_cls['config']),
    'cls': dict(words='classification', stages=[_cls]),
    'lost': dict(words='a file that is not there', stages=[dict(file='lost.pth')]),
    'torn': dict(words='a file that broke off', stages=[dict(file='torn.pth')]),
    'wild': dict(
        words='a loss that is no number',
        stages=[{**_cls, 'options': {**_cls['options'], _rate: 1e30}}],
    ),
}
targets = dict(
    pets=dict(
        task='classification',
        config='HERE/pets.py',
        scratch=dict(load_from=None, custom_hooks=[]),
        chosen=dict(all={_rate: 0.01}),
        chosen_where='a guess',
    ),
    away=dict(
        task='segmentation',
        config=_tiny + 'tiny_seg_fcn-r18_1xb4-8i_world-voc.py',
        scratch={'load_from': None, 'train_dataloader.dataset.data_root': 'nowhere'},
        loaded={
            'custom_hooks': _hooks,
            'train_dataloader.dataset.data_root': 'nowhere',
        },
    ),
)
probes = dict(
    targets=dict(pets=dict(config='HERE/pets.py', has_all_classes=False)),
    layers=['Conv4:1', 'Conv5:1,2'],
    main_layer='Conv5 1x1',
    strengths=[100.0, 1.0],
    shots=[1],
)
