"""Which of Li et al.'s tables show on the embedded world? The twin of li2019.py.

What embedded_seeds.py has, whose trainings it shares, with detection from scratch as a
candidate too (it costs a tenth less than classification), the two controls of the
protocol (scratch with twice the schedule, classification trained on for what the
detection stage costs), and fine-tuning and probes of all three classification targets
(Tables 5, 6 and 8).

Command: python tools/study.py run configs/studies/embedded_li2019.py
Data: bash tools/quickstart.sh draws it
Expected: of cls-det, less cls, AP70 +0.078 (+0.023 to +0.133), mIoU -0.130 (-0.351 to
+0.091), fine-tuned top-1 on caltech256 +0.062 (-0.016 to +0.139), on sun397 +0.107
(+0.034 to +0.179), on flowers102 +0.028 (-0.066 to +0.123), that of probes -0.032
(-0.083 to +0.020), +0.005 (-0.128 to +0.138), -0.018 (-0.094 to +0.057); 272 cells, 8.5
hours of trainings and tests, of which two run at a time, on busy cores.
"""

_base_ = './embedded_seeds.py'

_fine_tuned = 'configs/transfer_cls/r18-c5_1xb32-200i_world-NAME.py'
_rate = 'optim_wrapper.optimizer.lr'
_decay = 'optim_wrapper.optimizer.weight_decay'
_hundred_twenty = {'train_cfg.max_iters': 120, 'param_scheduler.0.T_max': 120}


def _classification(name, split, words):
    return dict(
        task='classification',
        words=words,
        config=_fine_tuned.replace('NAME', name),
        scratch=dict(load_from=None, custom_hooks=[], **_hundred_twenty),
        loaded=_hundred_twenty,
        longer={'train_cfg.max_iters': 240, 'param_scheduler.0.T_max': 240},
        settings=[
            {_rate: rate, _decay: decay}
            for rate in (0.01, 0.03, 0.1, 0.3)
            for decay in (0.0001, 0.001)
        ],
        part={'train_dataloader.dataset.part': 'learn'},
        rest={
            'test_dataloader.dataset.part': 'held_out',
            'test_dataloader.dataset.dataset.split': split,
        },
    )


_classifier = 'configs/cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py'


def _classifier_of(epochs, step, config=_classifier):
    return dict(
        config=config,
        options={
            'train_cfg.max_epochs': epochs,
            'train_cfg.val_interval': epochs,
            'param_scheduler.1.milestones': [step],
        },
    )


candidates = {
    'scratch-longer': dict(
        words='no pre-training, twice the schedule',
        is_longer=True,
        tried_as='scratch',
    ),
    'cls-longer': dict(
        words='the classifier, trained on for the cost of the detection stage',
        stages=[
            _classifier_of(12, 9),
            _classifier_of(11, 8, _classifier.replace('c5_', 'c5-longer_')),
        ],
    ),
    'det': dict(
        words='detection on chips of the very same images, from scratch',
        stages=[
            dict(
                config='configs/sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py',
                options={
                    'train_cfg.max_epochs': 2,
                    'train_cfg.val_interval': 2,
                    'param_scheduler.1.by_epoch': False,
                    'param_scheduler.1.milestones': [470],
                },
            )
        ],
    ),
}
# Seconds of all cells, of which two run at a time.
budget = dict(
    pretrain=3700,
    detection=8700,
    segmentation=5800,
    classification=11500,
    probe=950,
    report=160,
)
targets = dict(
    sun397=_classification('sun397', 'train', 'sixteen scenes'),
    flowers102=_classification('flowers102', 'trainval', 'ten flowers'),
)
probes = dict(
    targets={
        name: dict(config=_fine_tuned.replace('NAME', name), has_all_classes=False)
        for name in ('sun397', 'flowers102')
    }
)
