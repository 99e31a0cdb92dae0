"""Tables 5, 6 and 8 of Li et al. 2019: what do detectors keep for classification?

Probes of every layer of the ResNet-50 candidates that configs/cls_pretrain and
configs/sniper train, and of an untrained one, on Caltech-256, SUN-397 and Flowers; the
paper's own networks are pre-activation, deformable ResNet-101. Layers that a network
has not are left out by name. Fine-tuned candidates have a row where the predictions of
their tests are (fine_tuned below).

Command: python tools/probe.py configs/transfer_cls/probes_li2019.py
Expected: not measured here. Published, top-1 on Caltech-256: probes of OpenImages'
Conv5 76.7, ConvProj 69.7 at 14x14, 72.4 at 4x4, 73.3 at 2x2, 74.1 pooled, FC1 71.6, FC2
70.0; of ImageNet-Cls 84.7; on SUN-397 57.3 (ImageNet-Cls) and 51.1 (OpenImages), on
Flowers 87.4 and 83.1.
"""

_trained = 'work_dirs/NAME/epoch_LAST.pth'
_tuned = 'work_dirs/NAME/{candidate}/seed_{seed}.npz'
_transfer = 'configs/transfer_cls/r50-c5_1xb64-5k_'

baseline = 'ImageNet-Cls'
candidates = {
    # Untrained.
    'scratch': dict(
        config='configs/transfer_cls/r50-c5-scratch_1xb64-10k_caltech256.py'
    ),
    # It begins with the weights that its config names.
    'ImageNet-Cls': dict(config=_transfer + 'caltech256.py'),
    **{
        name: dict(
            # A classifier's maps are compared at the detectors' stride.
            config=_transfer + 'caltech256.py'
            if stem.startswith('cls')
            else f'configs/sniper/{stem}.py',
            checkpoint=_trained.replace('NAME', stem).replace('LAST', str(epoch)),
        )
        for name, stem, epoch in (
            ('ImageNet-Cls-longer', 'cls_r50-longer_8xb32-76e_imagenet', 76),
            ('ImageNet-Loc-Cls', 'cls_r50_8xb32-100e_imagenet-loc', 100),
            ('ImageNet-Loc', 'sniper_r50-c4c5_8xb16-7e_imagenet-loc', 7),
            (
                'ImageNet-Loc-no-vehicle',
                'sniper_r50-c4c5-no-vehicle_8xb16-7e_imagenet-loc',
                7,
            ),
            (
                'ImageNet-Loc-no-animal',
                'sniper_r50-c4c5-no-animal_8xb16-7e_imagenet-loc',
                7,
            ),
            ('COCO', 'sniper_r50-c4c5_8xb16-7e_coco', 7),
            ('OpenImages', 'sniper_r50-c4c5_8xb16-7e_openimages', 7),
        )
    },
}
targets = {
    name: dict(
        config=_transfer + name + '.py',
        fine_tuned=_tuned.replace('NAME', name),
    )
    for name in ('caltech256', 'sun397', 'flowers102')
}
# Its images have boxes: accuracy against the number of instances and their share.
targets['imagenet-loc'] = dict(config='configs/transfer_cls/probed_imagenet-loc.py')

layers = [
    'Conv2',
    'Conv3',
    'Conv4',
    'Conv5:1,2,4',
    'ConvProj:1,2,4,whole',
    'FC1',
    'FC2',
]
main_layer = 'Conv5 1x1'
