"""What is an ImageNet-Loc detector's score on ImageNet-DET, as papers give it?

Only a test: each synset counts as the one of the 200 classes that it is, or is below.
The threshold is 0.5 for all; ILSVRC's own program asks less of very small objects.

Command: python tools/test.py
configs/sniper/sniper_r50-c4c5_imagenet-loc_imagenet-det.py CHECKPOINT
Data: the synsets of DET in label order (the first word of each line) and WordNet's is-a
file, both from the challenge's site, beside ILSVRC's folders.
Expected: not measured here. Published for another network on 3,130 classes: 37.4 mAP.
"""

_base_ = './sniper_r50-c4c5_8xb16-7e_imagenet-loc.py'

val_dataloader = dict(
    dataset=dict(
        ann_file='Annotations/DET/val',
        data_prefix=dict(img='Data/DET/val'),
        synsets='det_synsets.txt',
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='mmdetxfer.MappedLabelsMetric',
    metric=dict(type='mmdetxfer.VOCSweepMetric', iou_thresholds=[0.5]),
    synsets='data/ILSVRC/LOC_synset_mapping.txt',
    is_a_file='data/ILSVRC/wordnet.is_a.txt',
)
test_evaluator = val_evaluator
