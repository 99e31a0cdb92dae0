"""Does detection pre-training help on classes it never saw? Without animals.

ImageNet-Loc's images with one of these synsets, by ImageNet's wordnet.is_a.txt, are
left out; the others keep their labels, so that some outputs of the head are never
wanted. It is to be transferred by
configs/transfer_det/sniper_r50-c4c5-loc-no-animal_8xb16-7e_voc0712.py; its own
validation is on all classes.

Command: bash tools/dist_train.sh
configs/sniper/sniper_r50-c4c5-no-animal_8xb16-7e_imagenet-loc.py 8
Expected: not measured here, nor told by the paper.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_imagenet-loc.py'

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='mmdetxfer.SubsetDataset',
            dataset={{_base_.train_dataloader.dataset.dataset}},
            exclude_super_category='animal',
            is_a_file='data/ILSVRC/wordnet.is_a.txt',
            keep_numbers=True,
        ),
    ),
)
