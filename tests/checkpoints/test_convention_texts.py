"""A config's text is read, never run, and answered with None where it is not clear."""

import time

import pytest
from host_configs import host_config

from mmdetxfer.checkpoints.convention_texts import (
    MAX_CHARACTERS,
    convention_in_config_text,
)
from mmdetxfer.checkpoints.conventions import (
    NAMED_CONVENTIONS,
    convention_of_preprocessor,
)

REAL = {
    ('mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'): 'torchvision',
    ('mmdet', 'mask_rcnn/mask-rcnn_r50-caffe_fpn_1x_coco.py'): 'detectron2',
    ('mmdet', 'yolo/yolov3_d53_8xb8-320-273e_coco.py'): 'darknet',
    (
        'mmdet',
        'soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py',
    ): 'detectron2',
    (
        'mmseg',
        'segmenter/segmenter_vit-b_mask_8xb1-160k_ade20k-512x512.py',
    ): 'timm_half',
    ('mmpretrain', 'resnet/resnet50_8xb32_in1k.py'): 'torchvision',
    ('mmpretrain', 'regnet/regnetx-400mf_8xb128_in1k.py'): 'pycls',
    ('mmpretrain', 'vgg/vgg16_8xb32_in1k.py'): 'torchvision',
}


@pytest.mark.parametrize('config', REAL, ids=lambda config: config[1])
def test_the_text_of_a_real_config_says_what_the_config_says(config):
    """As the hosts write it into checkpoints (two formatted, which is slow)."""
    cfg = host_config(*config)
    cfg._format_python_code = 'resnet50' in config[1] or 'segmenter' in config[1]
    text = cfg.pretty_text
    assert len(text) < MAX_CHARACTERS / 10
    found = convention_in_config_text(text)
    assert found.agrees_with(NAMED_CONVENTIONS[REAL[config]])
    preprocessor = cfg.model.get('data_preprocessor') or cfg.data_preprocessor
    assert found.agrees_with(convention_of_preprocessor(preprocessor))


def test_a_config_without_numbers_normalises_nothing():
    """YOLOX: its weights want BGR, 0..255."""
    cfg = host_config('mmdet', 'yolox/yolox_s_8xb8-300e_coco.py')
    cfg._format_python_code = False
    found = convention_in_config_text(cfg.pretty_text)
    assert (found.channel_order, found.mean, found.std) == ('bgr', (0,) * 3, (1,) * 3)


def test_a_real_config_that_normalises_twice_is_not_known():
    name = 'guided_anchoring/ga-fast-rcnn_r50-caffe_fpn_1x_coco.py'
    cfg = host_config('mmdet', name)
    cfg._format_python_code = False
    assert convention_in_config_text(cfg.pretty_text) is None


OLDER = 'img_norm_cfg = dict(mean=[1, 2, 3], std=[4, 5, 6], to_rgb={})\nmodel = dict()'


def test_the_texts_of_the_hosts_former_versions_are_read():
    """mmdet 2.x and its like normalised in the pipeline, RGB unless said."""
    assert convention_in_config_text(OLDER.format('True')).channel_order == 'rgb'
    assert convention_in_config_text(OLDER.format('False')).channel_order == 'bgr'
    unsaid = convention_in_config_text('img_norm_cfg = dict(mean=[1]*0 or 3)')
    assert unsaid is None
    text = 'img_norm_cfg = dict(mean=[1, 2, 3], std=[4, 5, 6])'
    assert convention_in_config_text(text).channel_order == 'rgb'


MODEL = 'model = dict(data_preprocessor=dict({}))'
GOOD = 'mean=[1, 2, 3], std=[4, 5, 6], bgr_to_rgb=True'


def test_displays_and_calls_are_both_dicts():
    wanted = convention_in_config_text(MODEL.format(GOOD))
    assert wanted.mean == (1, 2, 3) and wanted.channel_order == 'rgb'
    entries = "'mean': [1, 2, 3], 'std': [4, 5, 6], 'bgr_to_rgb': True"
    for text in (
        f"model = {{'data_preprocessor': {{{entries}}}}}",
        f"model = dict({{'a b': 1, 'data_preprocessor': dict({GOOD})}})",
        f'data_preprocessor = dict({GOOD})\nmodel = dict(type="X")',
        f'{MODEL.format(GOOD)}\ndata_preprocessor = dict(mean=[9] * 3)',
    ):
        assert convention_in_config_text(text) == wanted


UNCLEAR = [
    'model = dict(type="X")',
    'model = dict(data_preprocessor=None)',
    MODEL.format('mean=numbers, std=[4, 5, 6]'),
    MODEL.format('mean=[1, 2, f(3)], std=[4, 5, 6]'),
    MODEL.format(f'**base, {GOOD}'),
    MODEL.format('{**base}'),
    MODEL.format('{key(): 1}'),
    MODEL.format('mean=[1], std=[1]'),
    MODEL.format('mean=[1, 2, 3], std=[0, 0, 0]'),
    f'import os\n{MODEL.format(GOOD)}',
    f'{MODEL.format(GOOD)}\nmodel["data_preprocessor"]["mean"] = [9, 9, 9]',
    f'{MODEL.format(GOOD)}\nmodel.update(x=1)',
    f'{MODEL.format(GOOD)}\nif True:\n    model = None',
    f'a = {MODEL.format(GOOD)}',
    f'{MODEL.format(GOOD)}\npipeline = [dict(type="Normalize", mean=[1, 2, 3])]',
    f'{MODEL.format(GOOD)}\npipeline = [dict(type="mmcv.Normalize")]',
    '',
    'model = dict(',
    'model = dict(data_preprocessor=dict(mean=[1, 2, 3], std=[4, 5, 6]))\0',
    '\udcff',
    None,
    b'model = 1',
    7,
]


@pytest.mark.parametrize('text', UNCLEAR, ids=lambda text: repr(text)[-40:])
def test_what_is_not_clear_is_not_known(text):
    assert convention_in_config_text(text) is None


def test_a_text_with_a_call_to_anything_else_runs_nothing(marker):
    text = f'x = __import__("os").system("touch {marker}")\n{MODEL.format(GOOD)}'
    assert convention_in_config_text(text).mean == (1, 2, 3)
    inside = f'mean=[__import__("os").system("touch {marker}"), 2, 3], std=[1, 1, 1]'
    assert convention_in_config_text(MODEL.format(inside)) is None
    assert not marker.exists()


MANY = 100_000
DEEP = {
    'parentheses': 'x = ' + '(' * MANY,
    'lists': 'x = ' + '[' * MANY + ']' * MANY,
    'signs': 'x = ' + '-' * MANY + '1',
    'sums': 'x = 1' + '+1' * MANY,
    'attributes': 'x = a' + '.b' * MANY,
    'dicts': MODEL.format('data_preprocessor=dict(' * 90 + ')' * 90),
    'digits': 'x = ' + '9' * MANY,
    'long': 'x = 1\n' * (MAX_CHARACTERS // 4),
}


@pytest.mark.parametrize('kind', DEEP)
def test_deep_and_long_texts_end_soon_and_are_not_known(kind):
    started = time.monotonic()
    assert convention_in_config_text(DEEP[kind]) is None
    assert time.monotonic() - started < 10


def test_texts_longer_than_any_config_are_not_parsed():
    text = f'{MODEL.format(GOOD)}\n#'
    longest = text + 'x' * (MAX_CHARACTERS - len(text))
    assert convention_in_config_text(longest).mean == (1, 2, 3)
    assert convention_in_config_text(longest + 'x') is None


def test_warnings_about_somebodys_text_are_nobodys_business(recwarn):
    text = f"pattern = '\\d'\n{MODEL.format(GOOD)}"
    assert convention_in_config_text(text).mean == (1, 2, 3)
    assert not recwarn.list
