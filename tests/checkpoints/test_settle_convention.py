"""The weights decide the input convention; who disagrees is told before training."""

import copy

import pytest
from host_configs import host_config
from mmengine.config import Config

from mmdetxfer.checkpoints.conventions import NAMED_CONVENTIONS, parse_convention
from mmdetxfer.checkpoints.settle_convention import settle_convention, weights_named_in
from mmdetxfer.errors import UserError

CAFFE = NAMED_CONVENTIONS['caffe'].to_dict()
SNIPER = NAMED_CONVENTIONS['sniper_mxnet'].to_dict()


def no_reading(address):
    raise AssertionError(f'{address} should not have been read')


def carrying(**conventions):
    """Return a reader of files that carry these conventions, by their names."""

    def read(address):
        stated = conventions[address]
        return {
            'state_dict': {},
            'meta': {'input_convention': stated} if stated else {},
        }

    return read


@pytest.fixture(scope='module')
def hosts():
    """One real config of each host, without weights."""
    configs = {
        'mmdet': host_config('mmdet', 'retinanet/retinanet_r18_fpn_1x_coco.py'),
        'mmseg': host_config('mmseg', 'fcn/fcn_r50-d8_4xb4-20k_voc12aug-512x512.py'),
        'mmpretrain': host_config('mmpretrain', 'resnet/resnet18_8xb32_in1k.py'),
    }
    configs['mmdet'].model.backbone.init_cfg = None
    configs['mmseg'].model.pretrained = None
    return configs


@pytest.fixture
def cfg(hosts):
    return copy.deepcopy(hosts['mmdet'])


WORDS = {'mmdet': 'bgr_to_rgb', 'mmseg': 'bgr_to_rgb', 'mmpretrain': 'to_rgb'}


def preprocessor_of(cfg):
    return cfg.model.get('data_preprocessor') or cfg.data_preprocessor


@pytest.mark.parametrize('host', WORDS)
@pytest.mark.parametrize('name', ['caffe', 'sniper_mxnet', 'timm_half'])
def test_a_carried_convention_is_written_in_the_hosts_words(hosts, host, name):
    cfg, convention = copy.deepcopy(hosts[host]), NAMED_CONVENTIONS[name]
    cfg.load_from = 'x.pth'
    settled = settle_convention(cfg, carrying(**{'x.pth': convention.to_dict()}))
    found = preprocessor_of(cfg)
    assert found['mean'] == convention.mean_255 and found['std'] == convention.std_255
    assert found[WORDS[host]] is (convention.channel_order == 'rgb')
    assert not {'bgr_to_rgb', 'to_rgb', 'rgb_to_bgr'} - {WORDS[host]} & set(found)
    assert settled.convention == convention == parse_convention(cfg.input_convention)
    assert settled.source == 'of x.pth'
    assert settled.replaced[0].startswith('data_preprocessor (RGB mean 123.675')
    assert 'of x.pth' in str(settled) and '; replaced data_preprocessor' in str(settled)


@pytest.mark.parametrize('host', WORDS)
def test_what_agrees_already_is_left_as_it_is(hosts, host):
    cfg = copy.deepcopy(hosts[host])
    before = copy.deepcopy(preprocessor_of(cfg))
    cfg.load_from = 'torchvision://resnet18'
    settled = settle_convention(cfg, no_reading)
    assert preprocessor_of(cfg) == before and settled.replaced == ()
    assert settled.convention == NAMED_CONVENTIONS['torchvision']
    assert 'replaced' not in str(settled)


def test_settling_twice_changes_nothing_more(cfg):
    cfg.load_from = 'x.pth'
    read = carrying(**{'x.pth': CAFFE})
    first = settle_convention(cfg, read)
    after_once = cfg.to_dict()
    second = settle_convention(cfg, read)
    assert first.replaced and second.replaced == ()
    assert cfg.to_dict() == after_once


def test_the_address_of_an_init_cfg_decides(cfg):
    address = 'open-mmlab://detectron2/resnet50_caffe'
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=address)
    settled = settle_convention(cfg, no_reading)
    assert settled.convention == NAMED_CONVENTIONS['detectron2']
    assert cfg.model.data_preprocessor['bgr_to_rgb'] is False


def test_a_real_config_with_the_wrong_numbers_is_put_right():
    """mmdet's r101-caffe 3x config keeps torchvision's preprocessor by mistake."""
    name = 'faster_rcnn/faster-rcnn_r101-caffe_fpn_ms-3x_coco.py'
    cfg = host_config('mmdet', name)
    assert cfg.model.data_preprocessor.bgr_to_rgb is True
    settled = settle_convention(cfg, no_reading)
    assert cfg.model.data_preprocessor.bgr_to_rgb is False
    assert cfg.model.data_preprocessor.std == [1.0, 1.0, 1.0]
    assert 'replaced data_preprocessor (RGB mean 123.675' in str(settled)


def test_the_preprocessor_inside_a_multi_branch_one_is_written():
    name = 'soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py'
    cfg = host_config('mmdet', name)
    cfg.load_from = 'x.pth'
    settle_convention(cfg, carrying(**{'x.pth': SNIPER}))
    inner = cfg.model.data_preprocessor.data_preprocessor
    assert inner.bgr_to_rgb is True and inner.mean[0] == 123.68
    assert 'mean' not in cfg.model.data_preprocessor


def test_mmsegs_pretrained_counts_as_weights():
    cfg = host_config('mmseg', 'fcn/fcn_r50-d8_4xb4-20k_voc12aug-512x512.py')
    assert list(weights_named_in(cfg)) == ['open-mmlab://resnet50_v1c']
    assert settle_convention(cfg, no_reading).source == 'of open-mmlab://resnet50_v1c'


def test_load_from_comes_before_what_the_parts_start_from(cfg):
    pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet18')
    cfg.model.backbone.init_cfg = pretrained
    assert list(weights_named_in(cfg)) == ['torchvision://resnet18']
    cfg.load_from = 'x.pth'
    assert list(weights_named_in(cfg)) == ['x.pth']


def test_every_way_of_naming_weights_is_found():
    class PretrainedInit:
        """As the hosts' new-style configs name it, by the class."""

    parts = [
        dict(init_cfg=[dict(type='Kaiming'), dict(type='Pretrained', checkpoint='a')]),
        dict(init_cfg=dict(type=PretrainedInit, checkpoint='b', prefix='backbone.')),
        dict(type='mmseg.Model', pretrained='c'),
        dict(type='mmpretrain.TIMMBackbone', pretrained=True),
        dict(init_cfg=dict(type='mmengine.Pretrained', checkpoint='a')),
        dict(init_cfg=dict(type='Pretrained', checkpoint='')),
        dict(pretrained=False),
        dict(pretrained=None),
    ]
    cfg = dict(model=dict(parts=parts))
    assert list(weights_named_in(cfg)) == [
        'a',
        'b',
        'c',
        'TIMMBackbone(pretrained=True)',
    ]


def test_weights_that_load_themselves_must_be_stated(cfg):
    cfg.model.backbone = dict(type='mmpretrain.TIMMBackbone', pretrained=True)
    with pytest.raises(
        UserError, match=r'of TIMMBackbone.pretrained=True. is not known'
    ):
        settle_convention(cfg, no_reading)
    cfg.input_convention = 'timm_half'
    settle_convention(cfg, no_reading)
    assert cfg.model.data_preprocessor.mean == [127.5] * 3


def test_an_unknown_convention_must_be_stated(cfg):
    cfg.load_from = 'x.pth'
    with pytest.raises(UserError) as caught:
        settle_convention(cfg, carrying(**{'x.pth': None}))
    line = str(caught.value)
    assert 'of x.pth is not known; state it in the config' in line
    assert "'torchvision', 'caffe'" in line and "'from_config'" in line
    assert 'RGB mean 123.675' in line and '\n' not in line


def test_a_stated_convention_is_taken_where_the_weights_say_nothing(cfg):
    cfg.load_from, cfg.input_convention = 'x.pth', 'sniper_mxnet'
    settled = settle_convention(cfg, carrying(**{'x.pth': None}))
    assert settled.source == 'stated in the config'
    assert cfg.model.data_preprocessor.std == [1.0, 1.0, 1.0]
    assert cfg.input_convention == SNIPER


def test_a_stated_convention_that_agrees_is_no_problem(cfg):
    cfg.load_from, cfg.input_convention = 'x.pth', 'caffe'
    settled = settle_convention(cfg, carrying(**{'x.pth': CAFFE}))
    assert settled.source == 'of x.pth'


@pytest.mark.parametrize('stated', ['torchvision', 'from_config'])
def test_a_stated_convention_that_disagrees_is_refused(cfg, stated):
    cfg.load_from, cfg.input_convention = 'x.pth', stated
    before = cfg.to_dict()
    with pytest.raises(
        UserError, match='states RGB mean .* x.pth was trained with BGR'
    ):
        settle_convention(cfg, carrying(**{'x.pth': CAFFE}))
    assert cfg.to_dict() == before


def test_a_disagreeing_preprocessor_alone_is_replaced_not_refused(cfg):
    """Host configs come with one; only the user's own statement is a statement."""
    cfg.load_from = 'x.pth'
    settled = settle_convention(cfg, carrying(**{'x.pth': CAFFE}))
    assert len(settled.replaced) == 1


def test_from_config_keeps_the_configs_own(cfg):
    before = copy.deepcopy(cfg.model.data_preprocessor)
    cfg.load_from, cfg.input_convention = 'x.pth', 'from_config'
    settled = settle_convention(cfg, carrying(**{'x.pth': None}))
    assert cfg.model.data_preprocessor == before
    assert settled.convention == NAMED_CONVENTIONS['torchvision']
    assert cfg.input_convention == settled.convention.to_dict()


OTHERWISE = [
    dict(data_preprocessor=None),
    dict(data_preprocessor=dict(mean=[1.0], std=[1.0])),
]


@pytest.mark.parametrize('change', OTHERWISE)
def test_input_of_another_kind_is_left_to_its_config(cfg, change):
    """One channel, or none stated: whatever it is, nothing is written over it."""
    cfg.model.update(change)
    cfg.load_from, cfg.input_convention = 'x.pth', 'from_config'
    before = copy.deepcopy(cfg.model)
    settled = settle_convention(cfg, carrying(**{'x.pth': None}))
    assert cfg.model == before and settled.convention is None
    assert "the config's own preprocessing (of x.pth, left to" in str(settled)


@pytest.mark.parametrize('change', OTHERWISE)
def test_what_a_config_of_another_kind_wrote_is_read_by_it_alone(cfg, change):
    """It trains without a statement, and its checkpoints are tested without one."""
    plain = copy.deepcopy(cfg)
    cfg.model.update(change)
    settle_convention(cfg, no_reading)
    travelling = cfg.input_convention
    assert travelling == 'from_config'
    cfg.pop('input_convention')
    for config in (cfg, plain):
        config.load_from = 'x.pth'
    assert settle_convention(cfg, carrying(**{'x.pth': travelling})).convention is None
    with pytest.raises(UserError, match='convention of x.pth is not known; state it'):
        settle_convention(plain, carrying(**{'x.pth': travelling}))
    cfg.pop('input_convention')
    two_parts(cfg, 'x.pth', 'y.pth').load_from = None
    with pytest.raises(UserError, match='convention of y.pth is not known'):
        settle_convention(cfg, carrying(**{'x.pth': travelling, 'y.pth': None}))


def test_nothing_given_keeps_the_configs_own_and_writes_it_down(cfg):
    settled = settle_convention(cfg, no_reading)
    assert settled.source == 'no weights given: the config decides'
    assert settled.replaced == ()
    assert cfg.input_convention == NAMED_CONVENTIONS['torchvision'].to_dict()


def test_without_weights_a_statement_decides(cfg):
    cfg.input_convention = 'timm_half'
    settled = settle_convention(cfg, no_reading)
    assert settled.source == 'stated in the config'
    assert cfg.model.data_preprocessor.mean == [127.5] * 3


def two_parts(cfg, one, other):
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=one)
    cfg.model.neck.init_cfg = dict(type='Pretrained', checkpoint=other)
    return cfg


def test_two_files_that_want_different_things_are_refused(cfg):
    two_parts(cfg, 'a.pth', 'open-mmlab://regnetx_400mf')
    with pytest.raises(UserError, match='a.pth wants .*regnetx_400mf wants .*cannot h'):
        settle_convention(cfg, carrying(**{'a.pth': CAFFE}))


def test_two_files_that_agree_are_fine_and_one_that_knows_is_enough(cfg):
    two_parts(cfg, 'a.pth', 'b.pth')
    settled = settle_convention(cfg, carrying(**{'a.pth': None, 'b.pth': CAFFE}))
    assert settled.source == 'of b.pth'
    settle_convention(cfg, carrying(**{'a.pth': CAFFE, 'b.pth': CAFFE}))


def test_a_file_whose_statement_is_none_is_refused(cfg):
    cfg.load_from = 'x.pth'
    with pytest.raises(UserError, match='mean should be 3 numbers'):
        settle_convention(cfg, carrying(**{'x.pth': {**CAFFE, 'mean': 'rm -rf'}}))
    with pytest.raises(UserError, match='is not known'):
        settle_convention(cfg, lambda address: {'meta': 'text'})


def colour_types(cfg) -> list:
    pipelines = (cfg.train_pipeline, cfg.train_dataloader.dataset.pipeline)
    return [pipeline[0].get('color_type') for pipeline in pipelines]


def test_a_colour_type_that_gives_other_channels_is_replaced_and_said_once(cfg):
    cfg.train_pipeline[0].color_type = 'grayscale'
    cfg.train_dataloader.dataset.pipeline[0].color_type = 'grayscale'
    cfg.val_dataloader.dataset.pipeline[0].color_type = 'unchanged'
    cfg.load_from = 'torchvision://resnet18'
    settled = settle_convention(cfg, no_reading)
    assert colour_types(cfg) == ['color', 'color']
    assert sorted(settled.replaced) == [
        "color_type='grayscale' of a pipeline",
        "color_type='unchanged' of a pipeline",
    ]


def test_a_colour_type_that_gives_bgr_as_well_is_left_alone(cfg):
    """It differs from 'color' in that the camera's orientation is ignored."""
    cfg.train_pipeline[0].color_type = 'color_ignore_orientation'
    cfg.load_from = 'torchvision://resnet18'
    assert settle_convention(cfg, no_reading).replaced == ()
    assert cfg.train_pipeline[0].color_type == 'color_ignore_orientation'


def test_a_config_without_a_preprocessor_cannot_hold_a_convention():
    cfg = Config(dict(model=dict(type='X'), load_from='torchvision://resnet18'))
    with pytest.raises(UserError, match='has no data_preprocessor to hold'):
        settle_convention(cfg, no_reading)


def test_a_config_without_model_and_weights_has_no_convention():
    cfg = Config(dict(model=dict(type='X')))
    settled = settle_convention(cfg, no_reading)
    assert settled.convention is None and cfg.input_convention == 'from_config'


def test_a_config_that_normalises_in_its_pipeline_is_refused():
    """It would be normalised twice."""
    name = 'guided_anchoring/ga-fast-rcnn_r50-caffe_fpn_1x_coco.py'
    cfg = host_config('mmdet', name)
    with pytest.raises(UserError, match='has a Normalize step, .*remove it'):
        settle_convention(cfg, no_reading)
    cfg.model.backbone.init_cfg = None
    assert settle_convention(cfg, no_reading).convention is None


def test_a_preprocessor_without_words_gets_the_word_of_its_host():
    """YOLOX normalises nothing and says nothing about channels."""
    cfg = host_config('mmdet', 'yolox/yolox_s_8xb8-300e_coco.py')
    cfg.load_from = 'x.pth'
    settle_convention(cfg, carrying(**{'x.pth': SNIPER}))
    assert cfg.model.data_preprocessor.bgr_to_rgb is True
    cfg = Config(dict(default_scope='mmpretrain', model={}, data_preprocessor={}))
    cfg.load_from = 'x.pth'
    settle_convention(cfg, carrying(**{'x.pth': SNIPER}))
    assert cfg.data_preprocessor.to_rgb is True


def test_a_swap_in_the_other_word_is_not_left_beside_ours(cfg):
    cfg.model.data_preprocessor.update(bgr_to_rgb=False, rgb_to_bgr=True)
    cfg.load_from = 'x.pth'
    settle_convention(cfg, carrying(**{'x.pth': CAFFE}))
    assert cfg.model.data_preprocessor.bgr_to_rgb is False
    assert 'rgb_to_bgr' not in cfg.model.data_preprocessor
