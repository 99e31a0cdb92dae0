"""``--tta``: the config's own test-time augmentation, or the host's usual one.

Where a config says nothing, mmdet and mmpretrain take the image and its mirror image:
mmdet pools the boxes through one NMS, mmpretrain averages the scores. mmseg has no
usual one.
"""

from copy import deepcopy
from typing import Any

from mmengine.config import ConfigDict

from mmdetxfer.errors import UserError

_MODELS = {
    'mmdet': dict(
        # mmdet registers it in mmengine's root: a scope before it would miss it.
        type='DetTTAModel',
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    ),
    'mmpretrain': dict(type='mmpretrain.AverageClsScoreTTA'),
}
_META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')


def use_test_time_augmentation(cfg: Any) -> None:
    """Wrap the model and replace the test pipeline of a config.

    Args:
        cfg: The config; what it says of ``tta_model`` and ``tta_pipeline`` is taken.
    """
    scope = cfg.get('default_scope')
    dataset = cfg.test_dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    is_complete = cfg.get('tta_model') and cfg.get('tta_pipeline')
    if scope not in _MODELS and not is_complete:
        raise UserError(
            '--tta: the config has no tta_model and tta_pipeline, and '
            f"{scope} has no usual ones; add them as in the host's documentation"
        )
    model = cfg.get('tta_model') or _MODELS[scope]
    pipeline = cfg.get('tta_pipeline') or _with_mirror_image(dataset.pipeline)
    cfg.model = ConfigDict(**deepcopy(dict(model)), module=cfg.model)
    dataset.pipeline = pipeline


def _with_mirror_image(pipeline: list) -> list:
    """Return a test pipeline that gives each image as it is and mirrored."""
    *before, last = deepcopy(list(pipeline))
    if last['type'].endswith('PackDetInputs'):
        keys = tuple(last.get('meta_keys', _META_KEYS))
        last['meta_keys'] = tuple(dict.fromkeys((*keys, 'flip', 'flip_direction')))
    flips = [dict(type='RandomFlip', prob=share) for share in (1.0, 0.0)]
    return [*before, dict(type='TestTimeAug', transforms=[flips, [last]])]
