"""The configs of transfer_cls: what they keep fits, and classifiers train a step."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmpretrain.utils import register_all_modules
from torchvision.models import resnet50

from mmdetxfer.checkpoints.receipt import select
from mmdetxfer.checkpoints.settle_convention import weights_named_in
from mmdetxfer.installed_configs import config_path
from mmdetxfer.probe_plan import read_plan
from mmdetxfer.worlds import imagenet_loc
from mmdetxfer.worlds.classification_sets import (
    write_caltech256,
    write_flowers102,
    write_sun397,
)

FOLDER = Path(config_path('transfer_cls/metafile.yml')).parent
# Plans of probes and a detector are other kinds.
CONFIGS = sorted(FOLDER.glob('r[0-9]*.py'))
DETECTOR = 'sniper/sniper_r18-c4c5_1xb16-4e_world-imagenet-loc.py'
FOLDERS = {'caltech256': 'caltech', 'sun397': 'sun', 'flowers102': 'flowers'}


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp('world')
    write_caltech256(folder / 'caltech', {'all': 40}, 0)
    write_sun397(folder / 'sun', {'train': 8, 'test': 8}, 0)
    write_flowers102(folder / 'flowers', {'train': 4, 'val': 4, 'test': 4}, 0)
    return folder


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def plain(path):
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    return cfg


def model_of(cfg):
    return MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))


def data_of(cfg, part, world):
    """Build the data of a part out of the small world, whatever its size."""
    settings = cfg[f'{part}_dataloader'].dataset.to_dict()
    place = settings['dataset']
    kind = cfg.filename.split('_')[-1].removesuffix('.py').removeprefix('world-')
    root = world / FOLDERS[kind]
    if kind == 'caltech256':
        root = root / '256_ObjectCategories'
        place.update(num_train=2, num_expected=None, lists_dir=str(world / 'lists'))
    place['data_root'] = str(root)
    settings['num_expected'] = None
    return DATASETS.build(settings)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_what_a_config_keeps_is_the_whole_backbone(path):
    """Of an ordinary ResNet's file, or of the embedded detector."""
    cfg = plain(path)
    hooks = [hook.type for hook in cfg.get('custom_hooks') or []]
    assert ('mmdetxfer.FreezeHook' in hooks) == ('linear' in path.stem)
    if 'scratch' in path.stem:
        assert hooks == [] and cfg.get('load_from') is None
        return
    assert hooks[0] == 'mmdetxfer.TransferHook'
    if 'r18' in path.stem:
        with DefaultScope.overwrite_default_scope('mmdet'):
            from mmdet.registry import MODELS as DETECTION

            source = Config.fromfile(config_path(DETECTOR))
            file_state = DETECTION.build(source.model.backbone).state_dict()
    else:
        file_state = resnet50().state_dict()
    model = model_of(cfg)
    state = {f'backbone.{name}': value for name, value in file_state.items()}
    chosen = select(state, model.state_dict(), ['backbone'], (), 'a file')
    own = {name for name in model.state_dict() if name.startswith('backbone.')}
    assert not chosen.other_shape and set(chosen.kept) == own
    assert chosen.placed_share == 1


@pytest.mark.parametrize(
    'name',
    [
        'r50-c5_1xb64-5k_caltech256',
        'r50-c5_1xb64-5k_sun397',
        'r50-c5_1xb64-5k_flowers102',
        'r18-c5_1xb32-200i_world-caltech256',
        'r18-c5_1xb32-200i_world-sun397',
        'r18-c5_1xb32-200i_world-flowers102',
    ],
)
def test_classifiers_train_a_step_and_are_tested(world, name):
    """Training and test have the classes of the whole set, and share no image."""
    cfg = plain(FOLDER / f'{name}.py')
    train, test = (data_of(cfg, part, world) for part in ('train', 'test'))
    paths = [
        {data.get_data_info(k)['img_path'] for k in range(len(data))}
        for data in (train, test)
    ]
    assert paths[0] and paths[1] and not paths[0] & paths[1]
    model = model_of(cfg)
    expected = {'caltech256': 10, 'sun397': 397, 'flowers102': 102}
    if name.endswith('5k_caltech256'):
        # The small world has 10 of them.
        expected['caltech256'] = 256
    kind = name.split('_')[-1].removeprefix('world-')
    assert model.head.num_classes == expected[kind]
    labels = {train.get_data_info(k)['gt_label'] for k in range(len(train))}
    assert max(labels) < model.head.num_classes
    batch = model.data_preprocessor(default_collate([train[0], train[1]]), True)
    total, _ = model.parse_losses(model(**batch, mode='loss'))
    total.backward()
    assert torch.isfinite(total) and total > 0
    assert model.backbone.layer4[1].conv1.weight.grad.any()
    batch = model.data_preprocessor(default_collate([test[0], test[1]]), False)
    with torch.no_grad():
        found = model.eval()(**batch, mode='predict')
    assert len(found) == 2 and found[0].pred_score.shape == (model.head.num_classes,)


def test_the_papers_probes_are_of_all_candidates_of_the_transfer():
    """Each checkpoint is the last of its config's own training."""
    plan = read_plan(Config.fromfile(FOLDER / 'probes_li2019.py'), 'cpu')
    probed = {name: plan.candidates[name] for name in plan.probed}
    assert probed['scratch'].checkpoint is None
    begun = Config.fromfile(config_path(probed['scratch'].config.partition('/')[2]))
    assert not list(weights_named_in(begun))
    trained = {one.checkpoint for one in probed.values()} - {None}
    for one in probed.values():
        if one.checkpoint is not None:
            name = Path(one.checkpoint).parent.name
            (path,) = FOLDER.parent.glob(f'*/{name}.py')
            epoch = Config.fromfile(path).train_cfg.max_epochs
            assert one.checkpoint == f'work_dirs/{name}/epoch_{epoch}.pth'
            backbone = Config.fromfile(
                config_path(one.config.partition('/')[2])
            ).model.backbone
            assert (backbone.strides[-1], backbone.dilations[-1]) == (1, 2)
    pattern = 'transfer_det/sniper_r50-c4c5-*_8xb16-7e_voc0712.py'
    transfers = list(FOLDER.parent.glob(pattern))
    begins = {Config.fromfile(path).get('load_from') for path in transfers} - {None}
    assert len(transfers) == 10 and begins == trained


def test_all_maps_are_at_the_detectors_stride():
    """224 px at stride 16."""
    model = model_of(plain(FOLDER / 'r50-c5_1xb64-5k_caltech256.py')).eval()
    with torch.no_grad():
        (found,) = model.backbone(torch.randn(1, 3, 224, 224))
    assert found.shape == (1, 2048, 14, 14)


def test_the_probed_part_of_imagenet_loc_is_a_twentieth_and_has_boxes(tmp_path):
    """Of 60 images three to learn from; of the test's all, with boxes and a class."""
    imagenet_loc.write(tmp_path / 'ILSVRC', {'train': 60, 'val': 6}, 0)
    cfg = Config.fromfile(FOLDER / 'probed_imagenet-loc.py')
    for part, count in (('train', 3), ('test', 6)):
        settings = cfg[f'{part}_dataloader'].dataset
        inner = settings.get('dataset', settings)
        inner.data_root = str(tmp_path / 'ILSVRC')
        data = DATASETS.build(settings)
        infos = [data.get_data_info(k) for k in range(len(data))]
        assert len(infos) == count
        for info in infos:
            assert info['instances'] and info['gt_label'] >= 0
            # What the share of the image is told by.
            assert {'width', 'height'} <= info.keys()
