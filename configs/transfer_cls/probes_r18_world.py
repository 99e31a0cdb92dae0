"""What do embedded detectors and classifiers keep for classification, and where?

Probes of every layer of the candidates of tools/embedded_candidates.sh, in the domain
that they were trained on (its images have boxes: accuracy against the number of
instances and the object's share) and in another one.

Command: python tools/probe.py configs/transfer_cls/probes_r18_world.py
Candidates: bash tools/embedded_candidates.sh
Data: python tools/make_world.py --out work_dirs/world_small --size small --seed 0
--formats caltech256 sun397 flowers102
Expected: top-1 of pooled Conv5 on Caltech-256, three seeds: cls 79.0, Cls -> Det
74.2, det 32.5, untrained 19.0 (chance 10); half an hour on two busy cores.
"""

_weights = 'work_dirs/embedded_candidates/'
_classifier = 'configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py'
_detector = 'configs/sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py'

seeds = [0, 1, 2]
baseline = 'cls'
candidates = {
    'scratch': dict(config=_classifier),
    'cls': dict(
        config=_classifier, checkpoint=f'{_weights}cls/seed_{{seed}}/epoch_21.pth'
    ),
    'det': dict(
        config=_detector, checkpoint=f'{_weights}det/seed_{{seed}}/epoch_4.pth'
    ),
    'cls-longer': dict(
        config=_classifier,
        checkpoint=f'{_weights}cls-longer/seed_{{seed}}/epoch_21.pth',
    ),
    'cls-det': dict(
        config=_detector, checkpoint=f'{_weights}cls-det/seed_{{seed}}/epoch_4.pth'
    ),
}
targets = {
    'imagenet-loc': dict(config=_classifier),
    **{
        name: dict(
            config=f'configs/transfer_cls/r18-c5_1xb32-200i_world-{name}.py',
            # Of the real sets' classes those of the world have images.
            has_all_classes=False,
        )
        for name in ('caltech256', 'sun397', 'flowers102')
    },
}

layers = [
    'Conv2:1',
    'Conv3:1',
    'Conv4:1',
    'Conv5:1,2,4,whole',
    'ConvProj:1,2,4,whole',
    'FC1',
    'FC2',
]
main_layer = 'Conv5 1x1'
# From 10,000 to 0.001; the default grid of 45 takes longer than these trainings.
strengths = [10.0 ** (k / 2) for k in range(8, -7, -1)]
shots = [1, 5, 10]
