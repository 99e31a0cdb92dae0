"""Predictions that know the truth: a share of the true boxes, moved a little."""

import numpy as np
from mmdet.datasets import VOCDataset

from mmdetxfer.predictions import PredictionHeader, Predictions, save_predictions


def write_predictions(path, root, share, seed):
    """Give a share of the true boxes, moved a little, as detections."""
    data = VOCDataset(
        data_root=f'{root}/',
        ann_file='VOC2007/ImageSets/Main/test.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        test_mode=True,
    )
    rng = np.random.default_rng(seed)
    columns = dict(image_index=[], boxes=[], labels=[])
    infos = [data.get_data_info(k) for k in range(len(data))]
    for number, info in enumerate(infos):
        for one in info['instances']:
            if rng.random() < share:
                columns['image_index'].append(number)
                columns['boxes'].append(np.array(one['bbox']) + rng.normal(0, 1, 4))
                columns['labels'].append(one['bbox_label'])
    columns = {name: np.array(values) for name, values in columns.items()}
    columns['scores'] = rng.random(len(columns['labels'])).astype(np.float32)
    classes = tuple(data.metainfo['classes'])
    header = PredictionHeader('detection', classes, 'hash', 'config.py')
    ids = tuple(info['img_id'] for info in infos)
    save_predictions(path, Predictions(header, ids, columns))
