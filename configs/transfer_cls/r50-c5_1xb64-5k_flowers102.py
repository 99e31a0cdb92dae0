"""How well does a ResNet-50 candidate transfer to classifying Oxford-102 Flowers?

As r50-c5_1xb64-5k_caltech256.py, on the official train and val sets together (20 images
a class), tested on the official test set. Its usual score is the mean of the classes;
the paper's captions say top-1.

Command: python tools/train.py configs/transfer_cls/r50-c5_1xb64-5k_flowers102.py
Expected: not measured here. Published, all fine-tuned, top-1: 95.0 (ImageNet-Cls), 90.9
(ImageNet-Loc), 91.4 (COCO), 92.6 (OpenImages), of a pre-activation, deformable
ResNet-101.
"""

_base_ = './r50-c5_1xb64-5k_caltech256.py'

data_root = 'data/Flowers102'
num_classes = 102

data_preprocessor = dict(num_classes=num_classes)
model = dict(head=dict(num_classes=num_classes))
train_dataloader = dict(
    dataset=dict(
        num_expected=2040,
        dataset=dict(
            _delete_=True,
            type='Flowers102',
            data_root=data_root,
            split='trainval',
            pipeline={{_base_.train_pipeline}},
        ),
    )
)
val_dataloader = dict(
    dataset=dict(
        num_expected=6149,
        dataset=dict(
            _delete_=True,
            type='Flowers102',
            data_root=data_root,
            split='test',
            pipeline={{_base_.test_pipeline}},
        ),
    )
)
test_dataloader = val_dataloader
