"""What is an analysis of pre-training on object detection? Li et al. 2019, as a study.

Tables 1 to 8 and Figures 1, 2, 8 and 9 of arXiv 1904.05871 with ResNet-50, COCO as a
target too, and the pre-trainings' own scores; published figures, of a pre-activation,
deformable ResNet-101, stand beside ours. It plans without data: configs/README of each
folder say how the data sets are laid out.

Command: python tools/study.py plan configs/studies/li2019.py (then run, with --launcher
pytorch --gpus 8, or --executor slurm)
Expected: not measured here. Published: VOC07 AP70 of 76.3 (ImageNet-Cls), 80.0
(ImageNet-Loc), 80.7 (COCO) and 81.1 (OpenImages); its embedded twin is
embedded_li2019.py.
"""

_sniper = 'configs/sniper/sniper_r50-c4c5'
_voc = 'configs/transfer_det/sniper_r50-c4c5'
_recipe = '_8xb16-7e_'
_scratch = {
    'voc07': f'{_voc}-scratch{_recipe}voc0712.py',
    'voc12': 'configs/transfer_seg/deeplab_r50-scratch_8xb1-30k_voc12aug.py',
}
_loc_cls = 'configs/cls_pretrain/cls_r50_8xb32-100e_imagenet-loc.py'
_longer = 'configs/cls_pretrain/cls_r50-longer_8xb32-76e_imagenet.py'

# A classifier is probed at the stride of the detectors.
_at_stride_16 = 'configs/transfer_cls/r50-c5_1xb64-5k_caltech256.py'

question = 'What does pre-training on detection give, and what does it cost?'
paper = 'li2019'
baseline = 'ImageNet-Cls'
seeds = [0, 1, 2]
threads = 1


def _detector(data):
    return dict(config=f'{_sniper}{_recipe}{data}.py')


candidates = {
    'scratch': dict(words='no pre-training', configs=_scratch),
    'scratch-longer': dict(
        words='no pre-training, twice the schedule',
        configs=_scratch,
        is_longer=True,
        tried_as='scratch',
    ),
    'ImageNet-Cls': dict(
        words='classification of ImageNet',
        # The configs begin with torchvision's weights, those of the detectors too.
        as_configured=True,
        network=_at_stride_16,
    ),
    'ImageNet-Cls-longer': dict(
        words='the same, trained on for the cost of a detection stage',
        stages=[dict(config=_longer)],
        network=_at_stride_16,
    ),
    'Loc(Cls)': dict(
        words="classification of ImageNet-Loc's images, without boxes",
        stages=[dict(config=_loc_cls)],
        network=_at_stride_16,
    ),
    'ImageNet-Loc': dict(
        words='the very same images with their boxes',
        stages=[_detector('imagenet-loc')],
    ),
    'Loc without vehicles': dict(
        words='ImageNet-Loc without vehicles (Table 2)',
        stages=[dict(config=f'{_sniper}-no-vehicle{_recipe}imagenet-loc.py')],
    ),
    'Loc without animals': dict(
        words='ImageNet-Loc without animals (Table 2)',
        stages=[dict(config=f'{_sniper}-no-animal{_recipe}imagenet-loc.py')],
    ),
    'COCO': dict(words='detection on COCO', stages=[_detector('coco')]),
    'OpenImages': dict(
        words='detection on OpenImages', stages=[_detector('openimages')]
    ),
    'OpenImages, a tenth': dict(
        words='the same with a tenth of its images (section 2.1)',
        stages=[dict(config=f'{_sniper}{_recipe}openimages.py', share=0.1)],
    ),
}

_rate = 'optim_wrapper.optimizer.lr'
_decay = 'optim_wrapper.optimizer.weight_decay'
_seg = 'configs/transfer_seg/deeplab_r50_8xb1-30k_voc12aug.py'
_labels = 'train_dataloader.dataset.datasets.1'
_cls = 'configs/transfer_cls/r50-c5_1xb64-5k_NAME.py'


def _classification(name, words, split='train', rest=None):
    """Return a target; trials learn from a part of a split, and are scored on its rest.

    Args:
        name: Of the data set.
        words: What it is.
        split: What its config learns from.
        rest: More options for the rest of it.
    """
    return dict(
        task='classification',
        words=words,
        config=_cls.replace('NAME', name),
        scratch={
            'load_from': None,
            'custom_hooks': [],
            'model.backbone.init_cfg': None,
        },
        loaded={'model.backbone.init_cfg': None},
        longer={'train_cfg.max_iters': 10000, 'param_scheduler.0.T_max': 10000},
        settings=[
            {_rate: rate, _decay: decay}
            for rate in (0.003, 0.01, 0.03)
            for decay in (0.0001, 0.001)
        ],
        part={'train_dataloader.dataset.part': 'learn'},
        rest={
            'test_dataloader.dataset.part': 'held_out',
            'test_dataloader.dataset.dataset.split': split,
            **(rest or {}),
        },
    )


targets = dict(
    voc07=dict(
        task='detection',
        words='VOC07 and VOC12 trainval, tested on VOC07 test',
        config=f'{_voc}-cls{_recipe}voc0712.py',
        longer={
            'train_cfg.max_epochs': 14,
            'param_scheduler.1.milestones': [10],
        },
        settings=[{_rate: rate} for rate in (0.06, 0.12, 0.24)],
        part={
            'train_dataloader.dataset.dataset.datasets.0.ann_file': (
                'VOC2007/ImageSets/Main/train.txt'
            ),
            'train_dataloader.dataset.dataset.datasets.1.ann_file': (
                'VOC2012/ImageSets/Main/train.txt'
            ),
        },
        rest={'test_dataloader.dataset.ann_file': 'VOC2007/ImageSets/Main/val.txt'},
        tta=True,
        occlusion='data/VOCocclusion',
    ),
    coco=dict(
        task='detection',
        words='COCO train2017, tested on val2017',
        config='configs/transfer_det/sniper_r50-c4c5-openimages_8xb16-7e_coco.py',
        # As the config of VOC from scratch.
        scratch={
            'load_from': None,
            'custom_hooks': [dict(type='mmdetxfer.InputPixelsHook')],
            'model.backbone.init_cfg': None,
            'model.backbone.frozen_stages': -1,
            'model.backbone.norm_cfg': dict(
                _delete_=True, type='BN', requires_grad=True
            ),
        },
        longer={
            'train_cfg.max_epochs': 14,
            'param_scheduler.1.milestones': [10],
        },
        # A grid on COCO costs as much as all else together.
        chosen=dict(all={}),
        chosen_where='the recipe of SNIPER, not tried',
        tta=True,
    ),
    voc12=dict(
        task='segmentation',
        words='VOC12 with the labels of SBD, tested on val',
        config=_seg,
        longer={
            'train_cfg.max_iters': 60000,
            'param_scheduler.0.milestones': [40000],
        },
        settings=[{_rate: rate} for rate in (0.003, 0.007, 0.02)],
        part={
            f'{_labels}.ann_file': 'ImageSets/Segmentation/train.txt',
            f'{_labels}.data_prefix.seg_map_path': 'SegmentationClass',
        },
        rest={
            'test_dataloader.dataset.ann_file': 'ImageSets/Segmentation/aug.txt',
            'test_dataloader.dataset.data_prefix.seg_map_path': 'SegmentationClassAug',
        },
    ),
    caltech256=_classification('caltech256', 'Caltech-256, 60 images a class'),
    sun397=_classification('sun397', 'SUN-397, its first split'),
    flowers102=_classification(
        'flowers102',
        'Oxford-102 Flowers',
        'trainval',
        {'test_dataloader.dataset.num_expected': 2040},
    ),
)

probes = dict(
    targets={
        name: dict(config=_cls.replace('NAME', name))
        for name in ('caltech256', 'sun397', 'flowers102')
    },
    layers=[
        'Conv2',
        'Conv3',
        'Conv4',
        'Conv5:1,2,4',
        'ConvProj:1,2,4,whole',
        'FC1',
        'FC2',
    ],
    main_layer='Conv5 1x1',
)

not_planned = {
    'Table 1, DCNv1 and DCNv2': 'they are other detectors, whose figures are cited',
    'Figures 3 to 7': 'they are about features, which a later part compares',
    'Both tasks from scratch on identical samples, a control': (
        'embedded_li2019.py has it; here the header of '
        'configs/cls_pretrain/cls_r50_8xb32-100e_imagenet-loc.py says what to set'
    ),
    "The paper's ResNet-101": (
        'its weights are for MXNet; configs/sniper has the network, and a file of '
        'converted weights can stand in for a stage'
    ),
}
