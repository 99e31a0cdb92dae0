"""Tables 5, 6 and 8 of Li et al. 2019: what do detectors keep for classification?

Probes of every layer of the ResNet-50 candidates that configs/cls_pretrain and
configs/sniper train, on Caltech-256, SUN-397 and Flowers; the paper's own networks are
pre-activation, deformable ResNet-101. Layers that a network has not are left out by
name. Fine-tuned candidates have a row where the predictions of their tests are
(fine_tuned below).

Command: python tools/probe.py configs/transfer_cls/probes_li2019.py
Expected: not measured here. Published, top-1 on Caltech-256: probes of OpenImages'
Conv5 76.7, ConvProj 69.7 at 14x14, 72.4 at 4x4, 73.3 at 2x2, 74.1 pooled, FC1 71.6, FC2
70.0; of ImageNet-Cls 84.7; on SUN-397 57.3 (ImageNet-Cls) and 51.1 (OpenImages), on
Flowers 87.4 and 83.1.
"""

_trained = 'work_dirs/NAME/epoch_7.pth'
_tuned = 'work_dirs/NAME/{candidate}/seed_{seed}.npz'
_sniper = 'sniper_r50-c4c5_8xb16-7e_'
_transfer = 'configs/transfer_cls/r50-c5_1xb64-5k_'

baseline = 'ImageNet-Cls'
candidates = {
    # It begins with the weights that its config names.
    'ImageNet-Cls': dict(config=_transfer + 'caltech256.py'),
    'ImageNet-Loc-Cls': dict(
        config='configs/cls_pretrain/cls_r50_8xb32-100e_imagenet-loc.py',
        checkpoint='work_dirs/cls_r50_8xb32-100e_imagenet-loc/epoch_100.pth',
    ),
    **{
        name: dict(
            config='configs/sniper/' + _sniper + kind + '.py',
            checkpoint=_trained.replace('NAME', _sniper + kind),
        )
        for name, kind in (
            ('ImageNet-Loc', 'imagenet-loc'),
            ('COCO', 'coco'),
            ('OpenImages', 'openimages'),
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
