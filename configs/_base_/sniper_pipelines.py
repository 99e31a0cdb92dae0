"""What chips and tests over scales are read by, for the detectors of configs/sniper."""

load = dict(type='LoadImageFromFile')
annotate = dict(type='LoadAnnotations', with_bbox=True)
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
pack = dict(type='PackDetInputs', meta_keys=meta_keys)
chip_pipeline = [
    load,
    annotate,
    dict(type='mmdetxfer.CropToChip'),
    dict(type='mmdetxfer.PackChipInputs'),
]
chip_sampler = dict(_delete_=True, type='mmdetxfer.ChipSampler', shuffle=True)
