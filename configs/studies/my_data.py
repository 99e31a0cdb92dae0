"""Which pre-training should I start from, on my data? The study to begin with.

Copy this file and change the lines that end with '# yours'. As it stands it runs on the
embedded world of the quick start.

Command: python tools/study.py plan configs/studies/my_data.py (then run)
Data: bash tools/quickstart.sh, until your own stand in its place
Expected: not measured; the report says which candidates can be told apart.
"""

question = 'Which pre-training should I start from, on my data?'
# Three seeds at least: of one seed nothing is claimed.
seeds = [0, 1, 2]
# The others are compared with it.
baseline = 'cls'  # yours

# A candidate is a chain of stages. A file from outside is dict(file='...pth'), with the
# channel order, mean and std that it was trained with: input_convention='torchvision',
# 'caffe', 'detectron2', 'timm_half' or a dict. A training is dict(config='...py').
candidates = {
    'scratch': dict(words='no pre-training'),
    'cls': dict(
        words='classification',
        stages=[
            dict(
                config='configs/cls_pretrain/'
                'cls_r18-c5_1xb32-21e_world-imagenet-loc.py'  # yours
            )
        ],
        # input_convention='torchvision',
        # Another architecture needs configs of its own: configs=dict(mine='...py').
    ),
}

# A target is a config of mmdet, mmseg or mmpretrain whose load_from and TransferHook
# take a candidate's backbone (configs/transfer_det, _seg, _cls have patterns).
targets = dict(
    mine=dict(
        task='classification',  # yours: detection, segmentation, classification
        config='configs/transfer_cls/r18-c5_1xb32-200i_world-caltech256.py',  # yours
        # Options to begin without a candidate, and without weights of the config's own.
        scratch={
            'load_from': None,
            'custom_hooks': [],
            'model.backbone.init_cfg': None,
        },
        # Tried for every candidate alike, on a part of the train set.
        settings=[{'optim_wrapper.optimizer.lr': rate} for rate in (0.01, 0.03, 0.1)],
        # Options to train on a part of the train set, and to test on the rest of it.
        part={'train_dataloader.dataset.part': 'learn'},  # yours
        rest={  # yours
            'test_dataloader.dataset.part': 'held_out',
            'test_dataloader.dataset.dataset.split': 'train',
        },
    ),
)
# The answer depends on how much data there is: a tenth of the train set, and all of it.
target_fractions = [0.1, 1.0]
