"""Which of three pre-trainings should one start from? The quick start's study.

On drawn scenes, in the layouts of the real data sets: the candidates learn from 1,600
source images, then from 150 target images with another palette and background. Seed 0
alone and one setting for each, those that grids of trials chose before for schedules
twice as long, so that a run takes minutes; of one seed nothing is claimed. With grids
and three seeds: embedded_seeds.py.

Command: bash tools/quickstart.sh (or python tools/study.py run
configs/studies/embedded.py)
Data: python tools/make_world.py --out work_dirs/world_source --size 2000 --formats
imagenet_loc, and --out work_dirs/world_small --size small (tools/quickstart.sh does it)
Expected: AP70, mIoU and top-1 with seed 0: scratch 0.028 0.223 0.620, cls 0.157 0.491
0.695, cls-det 0.229 0.377 0.785; 16 to 19 minutes on two cores.
"""

# About half of the schedules that the configs have, for less than twenty minutes.
_epochs, _step = 'train_cfg.max_epochs', 'param_scheduler.1.milestones'
_cls = dict(
    config='configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py',
    options={_epochs: 12, 'train_cfg.val_interval': 12, _step: [9]},
)
_det = dict(
    config='configs/sniper/sniper_r18-c4c5-cls_1xb16-4e_world-imagenet-loc.py',
    # Of 624 iterations.
    options={
        _epochs: 2,
        'train_cfg.val_interval': 2,
        'param_scheduler.1.by_epoch': False,
        _step: [470],
    },
)

question = 'Which pre-training should a detector, a segmentor, a classifier start from?'
baseline = 'cls'
seeds = [0]
candidates = {
    'scratch': dict(
        words='no pre-training',
        network=_cls['config'],
    ),
    'cls': dict(words='classification of the source images', stages=[_cls]),
    'cls-det': dict(
        words='the same, then detection on chips of the very same images',
        stages=[_cls, _det],
    ),
}

_rate = 'optim_wrapper.optimizer.lr'
_decay = 'optim_wrapper.optimizer.weight_decay'
_labels = 'train_dataloader.dataset.datasets.1'
_four = {_epochs: 4, 'train_cfg.val_interval': 4, _step: [3]}
_iters = 'train_cfg.max_iters'
_three_hundred = {_iters: 300, 'train_cfg.val_interval': 300, _step: [210]}
_hundred_twenty = {_iters: 120, 'param_scheduler.0.T_max': 120}
targets = dict(
    voc07=dict(
        task='detection',
        words='ten kinds of objects, 150 images to learn from',
        config='configs/transfer_det/sniper_r18-c4c5_1xb16-7e_world-voc.py',
        scratch=dict(
            load_from=None,
            custom_hooks=[dict(type='mmdetxfer.InputPixelsHook')],
            **_four,
        ),
        loaded=_four,
        longer={_epochs: 8, 'train_cfg.val_interval': 8, _step: [6]},
        settings=[{_rate: rate} for rate in (0.03, 0.06, 0.12)],
        chosen=dict(all={_rate: 0.12}),
        chosen_where='configs/transfer_det/README.md, of a longer schedule',
        part={
            'train_dataloader.dataset.dataset.ann_file': (
                'VOC2007/ImageSets/Main/train.txt'
            )
        },
        rest={'test_dataloader.dataset.ann_file': 'VOC2007/ImageSets/Main/val.txt'},
        tta=True,
        occlusion='work_dirs/world_small/VOCocclusion',
    ),
    voc12=dict(
        task='segmentation',
        words='the same kinds of objects, 150 images to learn from',
        config='configs/transfer_seg/deeplab_r18_1xb8-500i_world-voc.py',
        scratch=dict(load_from=None, custom_hooks=[], **_three_hundred),
        loaded=_three_hundred,
        longer={_iters: 600, 'train_cfg.val_interval': 600, _step: [420]},
        settings=[{_rate: rate} for rate in (0.02, 0.06, 0.18, 0.54)],
        chosen={
            'scratch': {_rate: 0.06},
            'cls': {_rate: 0.06},
            'cls-det': {_rate: 0.18},
        },
        chosen_where='configs/transfer_seg/README.md, of a longer schedule',
        # Twice VOC's own images, tested on SBD's.
        part={
            f'{_labels}.ann_file': 'ImageSets/Segmentation/train.txt',
            f'{_labels}.data_prefix.seg_map_path': 'SegmentationClass',
        },
        rest={
            'test_dataloader.dataset.ann_file': 'ImageSets/Segmentation/aug.txt',
            'test_dataloader.dataset.data_prefix.seg_map_path': 'SegmentationClassAug',
        },
        widths=list(range(1, 13)),
    ),
    caltech256=dict(
        task='classification',
        words='ten other classes, 200 images to learn from',
        config='configs/transfer_cls/r18-c5_1xb32-200i_world-caltech256.py',
        scratch=dict(load_from=None, custom_hooks=[], **_hundred_twenty),
        loaded=_hundred_twenty,
        longer={_iters: 240, 'param_scheduler.0.T_max': 240},
        settings=[
            {_rate: rate, _decay: decay}
            for rate in (0.01, 0.03, 0.1, 0.3)
            for decay in (0.0001, 0.001)
        ],
        chosen={
            'scratch': {_rate: 0.3, _decay: 0.0001},
            'cls': {_rate: 0.01, _decay: 0.0001},
            'cls-det': {_rate: 0.3, _decay: 0.0001},
        },
        chosen_where='configs/transfer_cls/README.md, of a longer schedule',
        part={'train_dataloader.dataset.part': 'learn'},
        rest={
            'test_dataloader.dataset.part': 'held_out',
            'test_dataloader.dataset.dataset.split': 'train',
        },
    ),
)

probes = dict(
    targets=dict(
        caltech256=dict(
            config='configs/transfer_cls/r18-c5_1xb32-200i_world-caltech256.py',
            # Of the real set's classes those of the world have images.
            has_all_classes=False,
        ),
    ),
    layers=[
        'Conv2:1',
        'Conv3:1',
        'Conv4:1',
        'Conv5:1,2,4,whole',
        'ConvProj:1,2,4,whole',
        'FC1',
        'FC2',
    ],
    main_layer='Conv5 1x1',
    # From 10,000 to 0.001; the default grid of 45 takes longer than the trainings.
    strengths=[10.0 ** (k / 2) for k in range(8, -7, -1)],
    shots=[1, 5, 10],
)

# Seconds of all cells, of which two run at a time, on idle cores.
budget = dict(
    pretrain=510,
    detection=930,
    segmentation=420,
    classification=170,
    probe=70,
    report=15,
)
