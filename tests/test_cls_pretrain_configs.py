"""Classification pre-training: the very samples and backbone of the detection's."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope

from mmdetxfer.installed_configs import config_path
from mmdetxfer.worlds import imagenet_loc

CLS = 'cls_pretrain/cls_r18-c5_1xb32-21e_world-imagenet-loc.py'
DET = 'sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py'
FOLDER = Path(config_path(CLS)).parent


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world') / 'ILSVRC'
    imagenet_loc.write(folder, {'train': 28, 'val': 14}, 0)
    return folder


def built(registry, name, world, *keys):
    """Build a part of a config on the small world."""
    settings = Config.fromfile(config_path(name))
    for key in keys:
        settings = settings[key]
    settings = settings.to_dict()
    places = [settings, settings.get('dataset', {})]
    for one in places:
        if 'data_root' in one:
            one.update(data_root=f'{world}/', cache_dir=f'{world}/cache')
    return registry.build(ConfigDict(settings))


def test_the_samples_are_those_of_the_detector(world):
    """Every chip's image is one of the classifier's, with the class of its boxes."""
    from mmdet.registry import DATASETS as DETECTION
    from mmdet.utils import register_all_modules
    from mmpretrain.registry import DATASETS as CLASSIFICATION
    from mmpretrain.utils import register_all_modules as register_others

    register_others(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        classified = built(CLASSIFICATION, CLS, world, 'train_dataloader', 'dataset')
    register_all_modules(init_default_scope=False)
    keys = ('train_dataloader', 'dataset', 'dataset')
    with DefaultScope.overwrite_default_scope('mmdet'):
        detected = built(DETECTION, DET, world, *keys)
    assert len(classified) == len(detected) == 28
    for index in range(28):
        mine, theirs = classified.get_data_info(index), detected.get_data_info(index)
        assert mine['img_path'] == theirs['img_path']
        labels = {one['bbox_label'] for one in theirs['instances']}
        assert labels == {mine['gt_label']}


def test_the_backbone_is_the_detectors(world):
    """Tensor by tensor, and so is what it makes of an image, at stride 16."""
    from mmdet.registry import MODELS as DETECTION
    from mmpretrain.registry import MODELS as CLASSIFICATION

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        classifier = built(CLASSIFICATION, CLS, world, 'model')
    with DefaultScope.overwrite_default_scope('mmdet'):
        detector = built(DETECTION, DET, world, 'model')
    detector.backbone.load_state_dict(classifier.backbone.state_dict())
    image = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        classifier.eval(), detector.eval()
        (mine,), (_, theirs) = classifier.backbone(image), detector.backbone(image)
    assert mine.shape == (1, 128, 8, 8) and torch.equal(mine, theirs)


def test_it_trains_a_step(world):
    from mmpretrain.registry import DATASETS, MODELS

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = built(DATASETS, CLS, world, 'train_dataloader', 'dataset')
        model = built(MODELS, CLS, world, 'model')
        batch = pseudo_collate([dataset[index] for index in range(4)])
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
    losses['loss'].backward()
    assert losses['loss'] > 0 and model.head.fc.weight.grad.shape == (14, 128)


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*.py')), ids=lambda p: p.stem)
def test_later_stages_name_where_they_begin(path):
    """By a file, or by weights that the backbone loads itself; with a receipt."""
    cfg = Config.fromfile(path)
    hooks = [one.type for one in cfg.get('custom_hooks') or ()]
    begins = bool(cfg.get('load_from')) or 'init_cfg' in cfg.model.backbone
    assert begins == ('mmdetxfer.TransferHook' in hooks)
    assert begins == (path.name != Path(CLS).name)
