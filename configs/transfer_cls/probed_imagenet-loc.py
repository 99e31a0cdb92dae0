"""Do detectors classify worse where there are several objects, or small ones?

A target of probes alone (probes_li2019.py): its test images have boxes, so that top-1
is told by the number of instances and by the share of the image that they cover (the
abstract of Li et al. 2019). The probes learn from a twentieth of ImageNet-Loc's train
images, which some candidates have learned from before, and are tested on its val
images.

Command: python tools/extract_features.py NETWORK CHECKPOINT --data
configs/transfer_cls/probed_imagenet-loc.py --part train --layers Conv5 --out DIR
All candidates, and their probes: python tools/probe.py
configs/transfer_cls/probes_li2019.py
Expected: not measured here, and not published.
"""

_base_ = '../cls_pretrain/cls_r50_8xb32-100e_imagenet-loc.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmdetxfer.SubsetDataset',
        dataset={{_base_.train_dataloader.dataset}},
        fraction=0.05,
    ),
)
